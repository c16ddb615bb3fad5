import type { Bench } from './bench.js';
import { command } from './command.js';
import { overFleet } from './peers.js';

/** Has crane look at all copies: every platform's manifest, config and layers, downloaded and digested. */
export async function validateCopies(
  { programs, directory }: Bench,
  target: string,
  images: readonly string[],
): Promise<void> {
  await overFleet(images, (image) =>
    command(programs.tools.crane.path, ['validate', '--remote', `${target}/${image}`], { home: directory }),
  );
}
