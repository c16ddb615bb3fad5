import { FactoryError } from '../common/errors.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { digestOf } from '../registry/digest.js';
import type { EvidenceStore } from '../store/evidence.js';
import type { Captured } from './template-files.js';

/** Writes what templates are made of, each once: their keys are their hashes. @throws FactoryError `EvidenceUnavailable` */
export async function keep(captured: Captured, evidence: EvidenceStore, signal?: AbortSignal): Promise<void> {
  for (const [key, bytes] of captured) {
    const held = await evidence.putOnce(key, bytes, signal);
    // What was damaged there is mended, for every run that refers to it.
    if (held.digest !== digestOf(bytes)) await evidence.put(key, bytes, signal);
  }
}

/**
 * The bytes of a template's text or file, as they were when the run was resolved.
 *
 * @throws FactoryError `EvidenceUnavailable`, also when they are gone or no longer the same
 */
export async function readTemplateFile(
  evidence: EvidenceStore,
  { key, digest }: EvidenceRef,
  signal?: AbortSignal,
): Promise<Buffer> {
  const bytes = await evidence.get(key, signal);
  if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
  throw new FactoryError(
    'EvidenceUnavailable',
    `${key}, a file of a template, is ${bytes === undefined ? 'not in the evidence store' : 'damaged'}: all workers must share one REPORT_DIR, and start the run again`,
  );
}
