import type { Daemon } from './daemon.js';
import { OUR_HOST, RUN_LABEL, readName, runPart } from './names.js';

/** Longer than any run may build; what is older was left by one that is dead. */
const STALE_MS = 24 * 60 * 60 * 1000;
const REMOVE_WITHIN_MS = 60_000;

/**
 * Takes names away that builds gave, also when they were cancelled or failed: what can't be removed now is removed after
 * the run.
 */
export async function removeNames(daemon: Daemon, names: readonly string[]): Promise<void> {
  const signal = AbortSignal.timeout(REMOVE_WITHIN_MS);
  for (const name of names) await daemon.remove(name, signal).catch(() => false);
}

/**
 * Removes what a run left on the engine, and what runs of more than a day ago did; with null only the latter. What has no name or label of ours is
 * never touched; nor is what a run of another id may be building now.
 *
 * @returns how many names and images are gone
 * @throws FactoryError of the engine
 */
export async function cleanEngine(
  daemon: Daemon,
  runId: string | null,
  signal: AbortSignal,
  now = Date.now(),
): Promise<number> {
  const run = runId === null ? null : runPart(runId);
  let removed = 0;
  for (const image of await daemon.images(signal)) {
    for (const name of image.RepoTags.filter((tag) => tag.startsWith(`${OUR_HOST}/`))) {
      const ours = readName(name);
      if (ours === undefined || (ours.run !== run && now - ours.at < STALE_MS)) continue;
      if (await daemon.remove(name, signal)) removed++;
    }
  }
  // What lost its name (the engine was killed in the middle) still has its label.
  for (const image of await daemon.images(signal, 'labelled')) {
    const nameless = image.RepoTags.every((tag) => tag === '<none>:<none>');
    const stale = now - image.Created * 1000 >= STALE_MS;
    if (!nameless || (image.Labels[RUN_LABEL] !== runId && !stale)) continue;
    if (await daemon.remove(image.Id, signal)) removed++;
  }
  return removed;
}

/** Removes what runs of more than a day ago left on the engine, as far as it comes in a minute. @returns how much that was */
export const sweepEngine = (daemon: Daemon, signal: AbortSignal): Promise<number> =>
  cleanEngine(daemon, null, AbortSignal.any([signal, AbortSignal.timeout(REMOVE_WITHIN_MS)]));
