import type { Bench } from './bench.js';
import { command } from './command.js';
import { overFleet } from './peers.js';
import type { Programs } from './programs.js';

/**
 * Has crane look at all copies.
 *
 * @param depth `whole`: every layer is downloaded and digested; `fast`: crane asks whether the layers are there.
 */
export async function validateCopies(
  {
    programs,
    directory,
  }: Pick<Bench, 'directory'> & { programs: { tools: Pick<Programs['tools'], 'crane'> } },
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
