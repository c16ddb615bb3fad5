import { FactoryError } from '../common/errors.js';

/** Segments must not start with a dot: that keeps `..` out, and temporary files of a folder apart. */
const KEY = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}\/)*[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;
const MAX_KEY = 1024; // S3's limit, so that a key is good in every store
const PREFIX = /^[A-Za-z0-9._/-]*$/;

/** Whether what a store holds under this name can be evidence of ours. */
export const isEvidenceKey = (key: string): boolean => key.length <= MAX_KEY && KEY.test(key);

/** @throws FactoryError `InvalidInput` */
export function assertEvidenceKey(key: string): void {
  if (!isEvidenceKey(key)) throw badKey(key);
}

/**
 * For `list`: the beginning of a key.
 *
 * @throws FactoryError `InvalidInput`
 */
export function assertEvidencePrefix(prefix: string): void {
  if (!PREFIX.test(prefix) || prefix.split('/').includes('..')) throw badKey(prefix);
}

function badKey(key: string): FactoryError {
  const message = `${JSON.stringify(key.slice(0, 100))} is not an evidence key: use letters, digits, "_", "-" and "." in segments joined by "/".`;
  return new FactoryError('InvalidInput', message);
}
