import { createHash } from 'node:crypto';
import type { Digest } from '../contract/brand.js';

/** sha256 is the one algorithm that registries must support (OCI image-spec, descriptor.md#registered-algorithms). */
const DIGEST = /^sha256:[a-f0-9]{64}$/;

export const isDigest = (text: string): text is Digest => DIGEST.test(text);

/** @throws Error when the text is no `sha256:<64 hex>` digest. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) throw new Error(`not a sha256 digest: ${JSON.stringify(text.slice(0, 100))}`);
  return text;
}

/** The digest of some bytes. */
export const digestOf = (bytes: Buffer | string): Digest =>
  parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);

/** The hex part alone, as an OCI layout names its blobs. */
export const hexOf = (digest: Digest): string => digest.slice('sha256:'.length);
