import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const isOnPath = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/**
 * Programs of CNCF's distribution, for tests that must hold on each: version 3, and 2.8 where Debian's `docker-registry`
 * is installed (CI installs it; no other system packages it).
 */
export const DISTRIBUTIONS: readonly string[] = [
  'registry',
  ...['docker-registry'].filter((program) => isOnPath(program)),
];
