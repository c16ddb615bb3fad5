import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { inspect } from 'node:util';
import { FactoryError } from '../common/errors.js';

const HIDDEN = '[secret]';
/** More than any key needs; a path that leads to something else must not fill the memory. */
const MAX_FILE_BYTES = 64 * 1024;

/** A value that no log, JSON, error or string template can show by accident: only {@link Secret.reveal} gives it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one call that sends it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** Where a secret is: a variable of the worker's environment, or a file on the worker. */
export type SecretReference = { from: 'env'; name: string } | { from: 'file'; path: string };

/**
 * Reads `env:NAME` or `file:/absolute/path`. A path with `..`, `.` or doubled slashes is none, so that what an
 * allow-list pattern matched is what is opened.
 */
export function parseSecretReference(text: string): SecretReference | undefined {
  const env = /^env:([A-Za-z_][A-Za-z0-9_]{0,127})$/.exec(text)?.[1];
  if (env !== undefined) return { from: 'env', name: env };
  const path = /^file:(\/[^\0\n]{1,1000})$/.exec(text)?.[1];
  if (path !== undefined && posix.normalize(path) === path && !path.endsWith('/'))
    return { from: 'file', path };
  return undefined;
}

/** What {@link resolveSecret} needs of the worker's environment. */
export interface SecretSource {
  /** References that may be used, `*` for any part of one segment: `env:HARNESS_API_KEY`, `file:/run/secrets/*`. */
  allowedSecrets: readonly string[];
  variable(name: string): Secret | undefined;
}

/** Whether the worker lets this reference be used. */
export const isAllowedSecret = (reference: string, allowed: readonly string[]): boolean =>
  parseSecretReference(reference) !== undefined &&
  allowed.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    return new RegExp(`^${parts.join('[^/]*')}$`).test(reference);
  });

/**
 * Turns a secret's name into its value, on the worker that is about to use it.
 *
 * @throws FactoryError `InvalidInput` when it is no reference or there is nothing behind it, `NotAllowed` when the worker
 *   does not allow it. A malformed reference is never echoed, since it may be the key itself.
 */
export async function resolveSecret(reference: string, source: SecretSource): Promise<Secret> {
  const parsed = parseSecretReference(reference);
  if (parsed === undefined)
    throw new FactoryError('InvalidInput', 'a secret is named as env:NAME or file:/absolute/path');
  if (!isAllowedSecret(reference, source.allowedSecrets))
    throw new FactoryError(
      'NotAllowed',
      `this worker does not allow the secret ${reference}: use one that ALLOWED_SECRETS has, or add it there`,
    );
  const text =
    parsed.from === 'env'
      ? (source.variable(parsed.name)?.reveal() ?? '')
      : readSecretFile(parsed.path, reference);
  return secretOf(text, reference);
}

/**
 * The secret that is all of a file but its last line break. @param name what its errors call it.
 *
 * @throws FactoryError `InvalidInput`, as {@link resolveSecret}
 */
export const secretFromFile = (path: string, name: string): Secret =>
  secretOf(readSecretFile(path, name), name);

function secretOf(text: string, name: string): Secret {
  const trimmed = text.replace(/\r?\n$/, '');
  if (trimmed === '')
    throw new FactoryError('InvalidInput', `there is nothing at ${name} on this worker: set it there`);
  // A line break inside would end up in a header, which undici refuses with a message that may show it.
  if (/[\0\r\n]/.test(trimmed))
    throw new FactoryError('InvalidInput', `${name} has more than one line: it must hold the key alone`);
  return new Secret(trimmed);
}

function readSecretFile(path: string, name: string): string {
  try {
    // O_NONBLOCK: opening a FIFO without a writer would wait for ever.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!fstatSync(file).isFile()) throw new Error('not a file');
      const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
      const bytesRead = readSync(file, buffer, 0, buffer.length, 0);
      if (bytesRead > MAX_FILE_BYTES) throw new Error('too large');
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      closeSync(file);
    }
  } catch {
    throw new FactoryError(
      'InvalidInput',
      `${name} can't be read on this worker: it must be a readable file of at most 64 KiB`,
    );
  }
}
