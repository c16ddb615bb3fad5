import { expect, it, onTestFinished } from 'vitest';
import { planImages } from '../../src/mirror/plan.js';
import { pushImage } from '../../src/mirror/push.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { imageOf, layerOf, twoPlatformImage } from '../support/images.js';
import { built, context, discovered, mirror, openSides, publish, runConfig } from './side.js';

const NAME = 'harness/ci-addon:1';

/** A target whose host says beforehand that its tags stay as they are. */
async function openKept() {
  const sides = await openSides();
  const hostApi = { createRepository: async () => false, keepsTag: async () => true };
  const target = new RegistryClient({ credentials: anonymous, insecureHosts: [], hostApi });
  onTestFinished(() => target.close());
  const requests = (): number => target.stats().reduce((sum, host) => sum + host.requests, 0);
  return { sides, ports: { ...sides, target }, requests };
}

it('a plan says that an update can’t be pushed, where the host tells', async () => {
  const { sides, ports } = await openKept();
  await publish(sides.registry, sides.sourceReference(NAME), twoPlatformImage());
  const plan = () =>
    planImages(
      [discovered(sides, NAME)],
      runConfig(sides),
      { ...ports, source: sides.registry },
      true,
      context().signal,
    );
  expect(await plan()).toMatchObject([{ state: 'create', reason: expect.not.stringContaining('immutable') }]);
  await publish(sides.registry, sides.targetReference(NAME), imageOf({ layers: [layerOf({ other: '1' })] }));
  expect(await plan()).toMatchObject([{ state: 'update', reason: expect.stringContaining('immutable') }]);
});

it('nothing is sent for a tag that can’t be put, and a new or equal one is', async () => {
  const { sides, ports, requests } = await openKept();
  const task = await built(sides, NAME, twoPlatformImage());
  await mirror(sides, task, ports.target);
  await mirror(sides, task, ports.target);
  const other = await built(sides, 'harness/drone-git:1', imageOf({ layers: [layerOf({ other: '1' })] }));
  const before = requests();
  await expect(pushImage({ ...other, target: task.target }, ports, context())).rejects.toMatchObject({
    type: 'TagImmutable',
    retryable: false,
  });
  expect(requests() - before).toBe(1);
});
