import { describe, expect, it, onTestFinished } from 'vitest';
import type { DiscoveredImage } from '../../src/contract/run.js';
import { locate } from '../../src/harness/image-location.js';
import { planImages } from '../../src/mirror/plan.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { Manners } from '../../src/registry/manners.js';
import { twoPlatformImage } from '../support/images.js';
import { startLimited } from '../support/limited-registry.js';
import { startRegistry } from '../support/registry-server.js';
import { openSides, publish, runConfig } from './side.js';

const NAMES = ['harness/ci-addon:1', 'harness/drone-git:1', 'plugins/kaniko:1'];

/** Docker Hub, Artifact Registry and ECR Public, as real registries; the images lie where `held` says. */
async function sourceList(held: readonly (readonly number[])[]) {
  const sides = await openSides();
  const [hub, third] = await Promise.all([startLimited(sides.source.host), startRegistry()]);
  onTestFinished(async () => {
    await hub.stop();
    await third.stop();
  });
  const prefixes = [hub.host, `${sides.target.host}/gar/docker`, `${third.host}/public`];
  const images = NAMES.map((name): DiscoveredImage => {
    const located = locate(name, prefixes, `${sides.target.host}/ci`);
    return { name, fields: [], ...located };
  });
  for (const [index, image] of images.entries())
    for (const place of held[index] ?? []) {
      const candidate = image.candidates[place];
      if (candidate) await publish(sides.registry, candidate, twoPlatformImage());
    }
  const source = new RegistryClient({ credentials: anonymous, insecureHosts: [], manners: new Manners() });
  onTestFinished(() => source.close());
  const config = runConfig(sides, { sourceRegistries: prefixes });
  const plan = async () => {
    const dependencies = { source, target: sides.registry, evidence: sides.evidence };
    const items = await planImages(images, config, dependencies, true, new AbortController().signal);
    return items.map((item) =>
      'source' in item ? prefixes.findIndex((one) => item.source.startsWith(one)) : -1,
    );
  };
  return { hub, plan };
}

describe('of several source registries', () => {
  it('each image comes from the first that has it', async () => {
    const { plan } = await sourceList([[0, 1, 2], [1, 2], [2]]);
    expect(await plan()).toEqual([0, 1, 2]);
  });

  it('the next serves where the first limits us, and the first is not asked on', async () => {
    const { hub, plan } = await sourceList([
      [0, 1],
      [0, 1, 2],
      [0, 2],
    ]);
    hub.limit({ retryAfterS: 3600 });
    expect(await plan()).toEqual([1, 1, 2]);
    const before = hub.limited();
    expect(await plan()).toEqual([1, 1, 2]);
    expect(hub.limited()).toBe(before);
  });

  it('an image that only the limited one may have is left for later', async () => {
    const { hub, plan } = await sourceList([[0], [1], [1]]);
    hub.limit({ retryAfterS: 3600 });
    expect(await plan()).toEqual([-1, 1, 1]);
  });
});
