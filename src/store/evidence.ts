import type { EvidenceRef } from '../contract/verdict.js';

/**
 * Where reports, verdicts, snapshots and pages live: a folder that all workers share, or S3. Keys are relative paths of
 * `[A-Za-z0-9._-]` segments joined by `/`. Writes are atomic: a reader sees the old bytes or the new ones, never a part.
 * Every method throws `EvidenceUnavailable` when the store can't be reached or refuses.
 */
export interface EvidenceStore {
  /** The bytes, or undefined when there are none under this key. */
  get(key: string, signal?: AbortSignal): Promise<Buffer | undefined>;
  put(key: string, bytes: Buffer | string, signal?: AbortSignal): Promise<EvidenceRef>;
  /** Writes only when the key is free; either way returns what the key holds in the end. */
  putOnce(key: string, bytes: Buffer | string, signal?: AbortSignal): Promise<EvidenceRef>;
  /** Keys under a prefix, sorted. */
  list(prefix: string, signal?: AbortSignal): Promise<string[]>;
  /** Where a person finds it: an absolute path or a URL. */
  locate(key: string): string;
}
