import { randomBytes } from 'node:crypto';
import type { Digest } from '../../contract/brand.js';
import { hexOf } from '../../registry/digest.js';

/** No registry has this name: what carries it on an engine is ours. */
export const OUR_HOST = 'image-factory.local';
/** Marks what was built, with its run; it never leaves the engine. */
export const RUN_LABEL = 'io.harness.image-factory.run';

/** A name of ours on an engine, read again. */
export interface OurName {
  run: string;
  /** When it was given, milliseconds. */
  at: number;
}

/** A run's id as a part of names: lower case, no other separator than `-`. */
export const runPart = (runId: string): string =>
  runId
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64) || 'run';

/**
 * A name that nothing else on the engine has: two workers may build from the same base at the same time, and each removes
 * its own. It says when it was given, so that what dead workers left can be told by its name alone.
 */
export const newName = (runId: string, what: 'base' | 'built', digest: Digest): string =>
  `${OUR_HOST}/${runPart(runId)}/${what}:${hexOf(digest).slice(0, 12)}-${Date.now()}-${randomBytes(6).toString('hex')}`;

/** Undefined when the name is none that {@link newName} makes. */
export function readName(name: string): OurName | undefined {
  const [, run, at] =
    /^image-factory\.local\/([a-z0-9-]{1,64})\/(?:base|built):[0-9a-f]{12}-(\d{13})-[0-9a-f]{12}$/.exec(
      name,
    ) ?? [];
  return run === undefined ? undefined : { run, at: Number(at) };
}
