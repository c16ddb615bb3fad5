import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/registry/digest.js';
import { parseManifest } from '../../src/registry/manifest.js';
import { twoPlatformImage } from '../support/images.js';
import { built, crane, mirror, openSides } from './side.js';

/** Another byte, and the same size. */
async function damage(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe('what was only labelled', () => {
  it('is built again on a worker that has nothing of the image', async () => {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1', twoPlatformImage());
    await rm(join(sides.content.directory, 'blobs', 'sha256'), { recursive: true });
    await mkdir(join(sides.content.directory, 'blobs', 'sha256'));
    await mirror(sides, task);
  });

  it('is not built again where this worker has all of it', async () => {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1', twoPlatformImage());
    const engine = { name: 'registry' as const, build: () => Promise.reject(new Error('built again')) };
    await mirror({ ...sides, engine }, task);
    await crane('validate', '--remote', task.target);
  });

  it.each([
    ['is gone', (path: string) => rm(path)],
    ['was damaged on this worker’s disk', (path: string) => damage(path)],
  ])('is built again where one config %s', async (_what, harm) => {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1', twoPlatformImage());
    const target = task.built.platforms[0]?.target ?? task.built.digest;
    const manifest = parseManifest(await readFile(sides.content.pathOf(target)), task.target);
    if (manifest.kind !== 'manifest') throw new Error('a platform has a manifest');
    await harm(sides.content.pathOf(manifest.config.digest));
    await mirror(sides, task);
    await crane('validate', '--remote', task.target);
  });

  it('is not pushed where this worker builds it differently', async () => {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1', twoPlatformImage());
    const other = { ...task, built: { ...task.built, digest: digestOf('other') } };
    await expect(mirror(sides, other)).rejects.toMatchObject({ type: 'ImageUnsupported' });
  });
});
