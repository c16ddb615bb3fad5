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

/** Debian's `docker-registry` is distribution 2.8: an older kind to try as well where it is installed. */
export const REGISTRY_PROGRAMS = ['registry', 'docker-registry'].filter(
  (name, index) => index === 0 || isOnPath(name),
);
