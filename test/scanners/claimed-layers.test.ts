import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/contract/brand.js';
import { jsonBlob, TYPES } from '../../src/demo/fleet/blob.js';
import type { BuiltFleetImage } from '../../src/demo/fleet/image.js';
import { debian } from '../../src/demo/fleet/packages.js';
import { digestOf } from '../../src/registry/digest.js';
import { parseConfig, parseManifest } from '../../src/registry/manifest.js';
import { imageOf, startWorld, stepContext, type World } from './world.js';

const ZLIB = { name: 'zlib1g', source: 'zlib', version: '1:1.2.11.dfsg-2' };
const system = (...packages: (typeof ZLIB)[]) =>
  imageOf(
    (arch) => debian('11.11', packages, arch),
    () => [{ path: 'app', content: 'x' }],
  );
const VULNERABLE = system(ZLIB);
const CLEAN = system({ ...ZLIB, version: '9:1' });

interface Parts {
  config: Buffer;
  layers: { digest: Digest; mediaType: string; size: number }[];
  diffIds: string[];
}

/** The image's first platform. */
function partsOf(image: BuiltFleetImage): Parts {
  const [first] = image.manifests;
  const manifest = first && parseManifest(first.bytes, 'test');
  if (manifest?.kind !== 'manifest') throw new Error('a built image has manifests');
  const config = image.blobs.find(({ descriptor }) => descriptor.digest === manifest.config.digest)?.bytes;
  if (config === undefined) throw new Error('a built image has its config');
  const layers = manifest.layers.map(({ digest, mediaType, size }) => ({ digest, mediaType, size }));
  return { config, layers, diffIds: parseConfig(config, 'test').rootfs?.diff_ids ?? [] };
}

/** The image's layers (those of its first platform) under a config that claims these DiffIDs. */
function claiming(image: BuiltFleetImage, layers: Parts['layers'], diffIds: string[]): BuiltFleetImage {
  const config = jsonBlob(TYPES.oci.config, {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: diffIds },
  });
  const mediaType = TYPES.oci.manifest;
  const top = jsonBlob(mediaType, { schemaVersion: 2, mediaType, config: config.descriptor, layers });
  return { blobs: [...image.blobs, config], manifests: [], top };
}

describe('a scan believes bytes, not what a config says of them', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  const decisionOf = async (image: BuiltFleetImage): Promise<string> =>
    (await world.scanner().scan(await world.task(image), stepContext())).decision;
  const bad = partsOf(VULNERABLE);
  const good = partsOf(CLEAN);

  it('of an image that claims the layers of a clean one which was scanned before', async () => {
    expect(await decisionOf(CLEAN)).toBe('pass');
    expect(await decisionOf(claiming(VULNERABLE, bad.layers, good.diffIds))).toBe('block');
  });

  it('of a clean one that claims the layers of a vulnerable one, which is scanned after it', async () => {
    const other = system({ ...ZLIB, version: '1:1.2.11.dfsg-1' });
    const { diffIds } = partsOf(other);
    expect(await decisionOf(claiming(CLEAN, good.layers, diffIds))).toBe('pass');
    expect(await decisionOf(other)).toBe('block');
  });

  it.each([
    ['names one layer twice, to hide another', (first: string, second: string) => [second, second, first]],
    ['names fewer layers than it has', (_: string, second: string) => [second]],
    ['names none', () => []],
    ['names what is no digest', () => ['x', '"', 'y']],
  ])('of an image whose config %s', async (_, claims) => {
    const [first = '', second = ''] = bad.diffIds;
    const [base, app] = bad.layers;
    if (base === undefined || app === undefined) throw new Error('it has two layers');
    expect(await decisionOf(claiming(VULNERABLE, [app, base], claims(first, second)))).toBe('block');
  });

  it('and its evidence names the image and its layers as the config does', async () => {
    const verdict = await world.scanner().scan(await world.task(VULNERABLE), stepContext());
    const raw = await world.evidence.get(verdict.platforms[0]?.evidence.key ?? '');
    expect(JSON.parse(String(raw))).toMatchObject({
      ArtifactID: digestOf(bad.config),
      Metadata: { ImageID: digestOf(bad.config), DiffIDs: bad.diffIds },
    });
  });
});
