import type { Bench } from './bench.js';
import { command } from './command.js';
import { overFleet } from './peers.js';

/**
 * Has crane look at all copies.
 *
 * @param depth `whole`: every layer is downloaded and digested; `fast`: crane asks whether the layers are there.
 */
export async function validateCopies(
  { programs, directory }: Bench,
  target: string,
  images: readonly string[],
  depth: 'whole' | 'fast' = 'whole',
): Promise<void> {
  const fast = depth === 'fast' ? ['--fast'] : [];
  await overFleet(images, (image) =>
    command(programs.tools.crane.path, ['validate', ...fast, '--remote', `${target}/${image}`], {
      home: directory,
    }),
  );
}
