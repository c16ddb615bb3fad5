import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FactoryError } from '../../src/common/errors.js';
import type { PushTask } from '../../src/contract/activities.js';
import { BlobLocations } from '../../src/mirror/blob-locations.js';
import { pushImage } from '../../src/mirror/push.js';
import { RegistryError } from '../../src/registry/errors.js';
import { splitReference } from '../../src/registry/reference.js';
import { DISTRIBUTIONS } from '../support/distributions.js';
import { imageOf, layerOf, twoPlatformImage } from '../support/images.js';
import { watchRequests } from '../support/request-counter.js';
import { built, context, crane, mirror, openSides } from './side.js';

describe('bytes', () => {
  it('leave the source once and reach the target once, also for images that are pushed at the same time', async () => {
    const sides = await openSides();
    const shared = layerOf({ 'lib/shared': 'the same in all' });
    const tasks = [];
    for (const name of ['a', 'b', 'c', 'd'])
      tasks.push(
        await built(sides, `harness/${name}:1`, imageOf({ layers: [shared, layerOf({ own: name })] })),
      );
    const sent = watchRequests();
    const summaries = await Promise.all(tasks.map((task) => mirror(sides, task)));
    const fetched = sent.filter(({ host, path }) => host === sides.source.host && path.includes('/blobs/'));
    expect(fetched).toHaveLength(5);
    expect(summaries.reduce((sum, { mountedBlobs }) => sum + mountedBlobs, 0)).toBe(3);
    for (const { target } of tasks) await crane('validate', '--remote', target);
  });

  it('that the target has do not leave the source, when nothing was scanned before', async () => {
    const sides = await openSides();
    const shared = layerOf({ 'lib/shared': 'the same in both' });
    const first = await built(sides, 'harness/app:1', imageOf({ layers: [shared, layerOf({ app: '1' })] }));
    await mirror(sides, first);
    // Another worker: it has nothing and remembers nothing.
    const second = await built(sides, 'harness/app:2', imageOf({ layers: [shared, layerOf({ app: '2' })] }));
    await writeFile(sides.content.pathOf(shared.descriptor.digest), '');
    const target = sides.client();
    onTestFinished(() => target.close());
    const sent = watchRequests();
    const summary = await mirror(sides, second, target);
    expect(summary).toMatchObject({ blobs: 3, uploadedBlobs: 2 });
    const fetched = sent.filter(({ host, path }) => host === sides.source.host && path.includes('/blobs/'));
    expect(fetched.map(({ path }) => path).join()).not.toContain(shared.descriptor.digest);
  });

  it('that were damaged on the worker’s disk are noticed, fetched again and never tagged', async () => {
    const sides = await openSides();
    const image = twoPlatformImage();
    const task = await built(sides, 'harness/app:1', image);
    const layer = image.platforms[0]?.layers[0];
    if (layer === undefined) throw new Error('an image without a layer');
    // As after a scan: it is in the content store, where a bit then flips.
    await sides.fetcher.blob(task.source, layer.descriptor, { signal: context().signal });
    const path = sides.content.pathOf(layer.descriptor.digest);
    const bytes = await readFile(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const sent = watchRequests();
    await mirror(sides, task);
    const about = sent.filter(({ host, path: to }) => host === sides.source.host && to.includes('/blobs/'));
    expect(about.filter(({ path: to }) => to.includes(layer.descriptor.digest))).toHaveLength(1);
    expect(await sides.content.has(layer.descriptor.digest)).toBe(false); // nobody finds the damaged one again
    await crane('validate', '--remote', task.target);
  });

  it('that arrive wrong at the target, and are right on the disk, are the target’s fault', async () => {
    const sides = await openSides();
    const image = imageOf();
    const task = await built(sides, 'harness/app:1', image);
    const layer = image.platforms[0]?.layers[0]?.descriptor;
    if (layer === undefined) throw new Error('an image without a layer');
    await sides.fetcher.blob(task.source, layer, { signal: context().signal });
    const target = sides.client();
    onTestFinished(() => target.close());
    let tried = 0;
    target.ensureBlob = async () => {
      tried++;
      throw new FactoryError('TransferCorrupt', 'the target received other bytes');
    };
    await expect(mirror(sides, task, target)).rejects.toThrow('the target received other bytes');
    expect([tried <= 2, await sides.content.has(layer.digest)]).toEqual([true, true]);
  });
});

it.each(DISTRIBUTIONS)(
  'two tags of one repository that share layers can be pushed at once and again, with %s',
  async (program) => {
    const sides = await openSides({}, program);
    const shared = layerOf({ 'lib/shared': 'the same in both' });
    const tasks: PushTask[] = [];
    for (const tag of ['1', '2'])
      tasks.push(await built(sides, `harness/app:${tag}`, imageOf({ layers: [shared, layerOf({ tag })] })));
    // Each round is another worker, which remembers nothing; only the first has something to send.
    const sent: number[] = [];
    for (const _ of ['first', 'second', 'third']) {
      const target = sides.client();
      onTestFinished(() => target.close());
      const own = { ...sides, locations: new BlobLocations() };
      const ends = await Promise.all(tasks.map((task) => mirror(own, task, target)));
      sent.push(ends.reduce((sum, { uploadedBlobs }) => sum + uploadedBlobs, 0));
      for (const { target: pushed } of tasks) await crane('validate', '--remote', pushed);
    }
    expect(sent).toEqual([5, 0, 0]);
  },
);

it('a registry that lost a blob meanwhile is looked at again, and then takes the manifest', async () => {
  const sides = await openSides();
  const task = await built(sides, 'harness/app:1', imageOf());
  const target = sides.client();
  onTestFinished(() => target.close());
  const put = target.putManifest.bind(target);
  let refused = 0;
  target.putManifest = async (...call) => {
    // Distribution 2.8 while another mount rewrites the blob's link (design, decision 5).
    if (refused++ === 0)
      throw new RegistryError('RegistryRejected', 'blob unknown', {
        code: 'MANIFEST_BLOB_UNKNOWN',
        status: 404,
      });
    await put(...call);
  };
  const sent = watchRequests();
  await pushImage(task, { ...sides, target }, context());
  const looks = sent.filter(({ host, method }) => host === sides.target.host && method === 'HEAD');
  expect(looks).toHaveLength(2);
  expect(splitReference(task.target).host).toBe(sides.target.host);
  await mirror(sides, task, target);
  await crane('validate', '--remote', task.target);
});
