import { z } from 'zod';
import type { Digest, Reference } from '../contract/brand.js';
import { isDigest } from '../registry/digest.js';
import { splitReference } from '../registry/reference.js';
import type { EvidenceStore } from '../store/evidence.js';

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));

const entrySchema = z.object({
  version: z.literal(1),
  target: z.string(),
  digest,
  sourceDigest: digest,
  templateDigest: digest,
  runId: z.string(),
  /** ISO 8601 UTC; null from just before the tag is put until it was verified. */
  verifiedAt: z.string().nullable(),
  /** What the tag was last verified to hold before that; null when nothing was. */
  previous: digest.nullable(),
  /** Whether a Docker Engine built any of its platforms, so that its source's verdict is not its own. Absent: unknown. */
  built: z.boolean().optional(),
  /** Platforms that `digest` was made without, since the engine can't build them. Absent: none. */
  skipped: z.array(z.string()).optional(),
});

/**
 * What we pushed to a tag, and whether it was verified there. It is written before the tag is put, so that marks in the
 * registry are never taken for a proof that somebody looked. Without an entry the marks decide.
 */
export type LedgerEntry = z.infer<typeof entrySchema>;

/** Where a tag's entry lies: `images/<host>/<repository>/<tag>.json`, the host's port after `_`. */
export function ledgerKey(target: Reference): string {
  const { host, path, tag } = splitReference(target);
  return `images/${host.replace(/[^A-Za-z0-9.-]/g, '_')}/${path}/${tag ?? 'latest'}.json`;
}

/** The last entry of a tag; undefined when there is none, or none that can be read. */
export async function readLedger(
  evidence: EvidenceStore,
  target: Reference,
  signal?: AbortSignal,
): Promise<LedgerEntry | undefined> {
  const bytes = await evidence.get(ledgerKey(target), signal);
  if (bytes === undefined) return undefined;
  try {
    return entrySchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined; // garbage here must not stop a night: the registry's own marks still tell
  }
}

/** Remembers a push or its verification. */
export async function writeLedger(
  evidence: EvidenceStore,
  entry: Omit<LedgerEntry, 'version' | 'target'> & { target: Reference },
  signal?: AbortSignal,
): Promise<void> {
  await evidence.put(ledgerKey(entry.target), JSON.stringify({ version: 1, ...entry }), signal);
}

/** Takes back that a tag's content was verified: the next run pushes and verifies it again. */
export async function doubtLedger(
  evidence: EvidenceStore,
  target: Reference,
  signal?: AbortSignal,
): Promise<void> {
  const entry = await readLedger(evidence, target, signal);
  if (entry === undefined || entry.verifiedAt === null) return;
  await writeLedger(evidence, { ...entry, target, verifiedAt: null, previous: null }, signal);
}
