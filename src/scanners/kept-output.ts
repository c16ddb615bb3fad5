import { FactoryError } from '../common/errors.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { digestOf } from '../registry/digest.js';
import type { EvidenceStore } from '../store/evidence.js';

/** What a scanner wrote, as the evidence store has it, and what was read in it. */
export interface KeptOutput<T> {
  evidence: EvidenceRef;
  read: T;
}

/**
 * What a scanner wrote before; undefined when there is nothing, or nothing that can be read: then it looks again.
 *
 * @param read throws a FactoryError for what it can't read
 */
export async function keptOutput<T>(
  evidence: EvidenceStore,
  key: string,
  read: (bytes: Buffer) => T,
  signal: AbortSignal,
): Promise<KeptOutput<T> | undefined> {
  const bytes = await evidence.get(key, signal);
  if (bytes === undefined) return undefined;
  try {
    return { evidence: { key, digest: digestOf(bytes) }, read: read(bytes) };
  } catch (error) {
    if (error instanceof FactoryError) return undefined;
    throw error;
  }
}

/**
 * Keeps what a scanner wrote, unless there is something already: two images with the same platform, or a worker that was
 * cut off and goes on, write under one key, and a verdict names what it rests on by digest. So the first one stays, and
 * everybody judges by it; only what can't be read is replaced.
 *
 * @throws FactoryError what `read` throws for these bytes
 */
export async function keepOutput<T>(
  evidence: EvidenceStore,
  key: string,
  bytes: Buffer,
  read: (bytes: Buffer) => T,
  signal: AbortSignal,
): Promise<KeptOutput<T>> {
  const own = read(bytes);
  const ref = await evidence.putOnce(key, bytes, signal);
  if (ref.digest === digestOf(bytes)) return { evidence: ref, read: own };
  const held = await keptOutput(evidence, key, read, signal);
  return held ?? { evidence: await evidence.put(key, bytes, signal), read: own };
}
