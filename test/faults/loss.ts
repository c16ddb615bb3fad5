import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AIM, type World } from './world.js';

export const aimed = ({ repository }: { repository: string }): boolean => repository === AIM;

const storage = (world: World, ...path: string[]): string =>
  join(world.factory.target.storageDir, 'docker/registry/v2', ...path);

/** The bytes of a blob, as a registry loses them. */
export const loseBlob = (world: World, digest: string): Promise<void> => {
  const hex = digest.replace('sha256:', '');
  return rm(storage(world, 'blobs/sha256', hex.slice(0, 2), hex), { recursive: true });
};

/** Everything that the target has. */
export const loseAll = (world: World): Promise<void> => rm(storage(world), { recursive: true });

/** The largest layer of the image that is aimed at: it keeps its digest on its way. */
export const layerOf = (world: World): string => {
  const blobs = world.factory.fleet.find(aimed)?.blobs ?? [];
  return blobs.reduce((a, b) => (b.bytes.length > a.bytes.length ? b : a)).descriptor.digest;
};
