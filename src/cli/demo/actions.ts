import type { Digest } from '../../contract/brand.js';
import { damageCopy } from '../../demo/damage.js';
import { releaseNext } from '../../demo/release.js';
import type { World } from '../../demo/world.js';

/** Releases the next version of an image. @returns what was done and what comes next, for people */
export async function release(world: World): Promise<string[]> {
  const { field, before, after } = await releaseNext(world);
  return [
    `Harness released ${after}: the account's default of ${field}, until now ${before}, names it.`,
    'The next run has this one image to mirror, and sets the field to the copy.',
  ];
}

/** Damages a copy. @returns what was done and what comes next, for people */
export async function breakOne(world: World): Promise<string[]> {
  const { target, manifest, layer } = await damageCopy(world);
  return [
    `The registry lost content of ${target}: manifest ${short(manifest)} and layer ${short(layer)}.`,
    'Its tag answers 404 now. The next run finds that, and pushes what is missing.',
  ];
}

const short = (digest: Digest): string => `${digest.slice(0, 'sha256:'.length + 12)}…`;
