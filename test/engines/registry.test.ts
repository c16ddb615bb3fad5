import { describe, expect, it } from 'vitest';
import type { StepContext } from '../../src/common/step.js';
import { MARK } from '../../src/contract/names.js';
import type { BuiltImage } from '../../src/contract/outcome.js';
import { RegistryEngine } from '../../src/engines/registry.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { digestOf } from '../../src/registry/digest.js';
import { parseManifest } from '../../src/registry/manifest.js';
import type { Platform } from '../../src/registry/platform.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { temporaryDirectory } from '../support/directory.js';
import {
  artifactOf,
  attestationOf,
  type Flavour,
  imageOf,
  indexOf,
  LINUX_AMD64,
  LINUX_ARM64,
  ref,
  type TestImage,
  twoPlatformImage,
} from '../support/images.js';
import { MemoryRegistry } from '../support/memory-registry.js';
import { buildTask } from './task.js';

const SOURCE = 'docker.io/harness/ci-addon:1.16.92';
const context: StepContext = { signal: new AbortController().signal, progress: () => undefined };

/** Builds an image in a store of its own, as a worker that has nothing yet would. */
async function build(image: TestImage, template: Parameters<typeof buildTask>[2] = {}) {
  const registry = new MemoryRegistry().add(ref(SOURCE), image);
  const content = await DirectoryContentStore.open(await temporaryDirectory());
  const engine = new RegistryEngine(new SourceFetcher(registry, content), content);
  const built = await engine.build(buildTask(SOURCE, image.top.descriptor.digest, template), context);
  const text = async (digest: BuiltImage['digest']): Promise<string> =>
    (await content.read(digest, 1e6))?.toString() ?? 'absent';
  const json = async (digest: BuiltImage['digest']) => JSON.parse(await text(digest));
  return { built, registry, content, engine, text, json };
}

describe.each<Flavour>(['oci', 'docker'])('an %s image of two platforms', (flavour) => {
  const image = twoPlatformImage(flavour, { maintainer: 'them' });

  it('is labelled on each, with its layers and everything else as they were', async () => {
    const { built, json } = await build(image);
    expect(built.mediaType).toBe(image.top.descriptor.mediaType);
    expect(built.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64/v8']);
    const index = await json(built.digest);
    for (const [position, { manifest, config, platform }] of image.platforms.entries()) {
      const made = built.platforms[position];
      expect(made?.source).toBe(manifest.descriptor.digest);
      expect(index.manifests[position]).toMatchObject({ digest: made?.target, platform });
      const [before, after] = [
        JSON.parse(manifest.bytes.toString()),
        await json(made?.target ?? built.digest),
      ];
      expect(after.layers).toEqual(before.layers);
      expect(after).not.toHaveProperty('annotations');
      const labelled = await json(after.config.digest);
      const { Labels, ...run } = labelled.config;
      expect(Labels).toMatchObject({ maintainer: 'them', [MARK.source]: SOURCE });
      const upstream = JSON.parse(config.bytes.toString());
      expect({ ...labelled, config: run }).toEqual({
        ...upstream,
        config: { ...upstream.config, Labels: undefined },
      });
    }
  });

  it('carries its marks on top only where the type has a place for them', async () => {
    const { built, json } = await build(image, { annotations: { team: 'ci' } });
    const marks = {
      team: 'ci',
      [MARK.sourceDigest]: image.top.descriptor.digest,
      [MARK.templateDigest]: digestOf('template'),
    };
    expect((await json(built.digest)).annotations).toEqual(flavour === 'oci' ? marks : undefined);
  });

  it('is the same on any worker, and fetches no layer', async () => {
    const [one, two] = [await build(image), await build(image)];
    expect(one.built).toEqual(two.built);
    const layers = image.platforms.flatMap((platform) => platform.layers);
    expect(one.registry.calls).toHaveLength(5); // index, two manifests, two configs
    for (const { descriptor } of layers)
      expect(one.registry.calls).not.toContain(`blob ${descriptor.digest}`);
  });

  it('is built again from the content store alone', async () => {
    const { built, engine, registry } = await build(image);
    registry.calls.length = 0;
    const again = await engine.build(buildTask(SOURCE, image.top.descriptor.digest), context);
    expect([again, registry.calls]).toEqual([built, []]);
  });
});

describe('an image without an index', () => {
  it('gets labels and annotations, and its platform from its config', async () => {
    const image = imageOf({ platform: LINUX_ARM64 });
    const { built, json } = await build(image);
    expect(built.platforms).toEqual([
      { platform: 'linux/arm64/v8', source: image.top.descriptor.digest, target: built.digest },
    ]);
    expect((await json(built.digest)).annotations).toMatchObject({
      [MARK.sourceDigest]: image.top.descriptor.digest,
    });
  });

  it('of Docker’s type changes in its config descriptor alone', async () => {
    const image = imageOf({ flavour: 'docker' });
    const { built, text } = await build(image);
    const before = parseManifest(image.top.bytes, 'before');
    const after = parseManifest(Buffer.from(await text(built.digest)), 'after');
    if (before.kind === 'index' || after.kind === 'index') throw new Error('not a manifest');
    const back = (await text(built.digest))
      .replace(after.config.digest, before.config.digest)
      .replace(`"size":${after.config.size}`, `"size":${before.config.size}`);
    expect(back).toBe(image.top.bytes.toString());
  });

  it('has the digests that it had in every version of this program', async () => {
    // Everything is fixed here, so another digest means that every mirrored image of every user changes.
    const config =
      '{"architecture":"amd64","os":"linux","config":{"2":1,"Labels":null},"n":9007199254740993}';
    const { built } = await build(imageOf({ config, layers: [] }), { labels: { team: 'ci' } });
    expect(built.digest).toBe('sha256:1bf1d5a0cf2e657d27b81b788545b846214bf9c64885cc66f8019f6222d1072d');
  });
});

describe('platforms', () => {
  const windows = (version: string): Platform => ({
    os: 'windows',
    architecture: 'amd64',
    'os.version': version,
  });
  const image = indexOf(
    [LINUX_AMD64, LINUX_ARM64, windows('10.0.17763.1'), windows('10.0.20348.9')].map((platform) =>
      imageOf({ platform }),
    ),
    { extras: [artifactOf('sbom')] },
  );

  it.each([
    [['linux/arm64'], ['linux/arm64/v8']],
    [
      ['linux/arm64/v8', 'linux/amd64'],
      ['linux/amd64', 'linux/arm64/v8'],
    ],
    [['windows/amd64'], ['windows/amd64:10.0.17763.1', 'windows/amd64:10.0.20348.9']],
    [['windows/amd64:10.0.20348'], ['windows/amd64:10.0.20348.9']],
  ])('that are chosen by %j are the only ones listed and fetched', async (platforms, expected) => {
    const { built, json, registry } = await build(image, { platforms });
    expect(built.platforms.map(({ platform }) => platform)).toEqual(expected);
    expect((await json(built.digest)).manifests).toHaveLength(expected.length);
    // The index, the artifact (its entry does not say what it is), then a manifest and a config each.
    expect(registry.calls).toHaveLength(2 + 2 * expected.length);
  });

  it('that the image does not have are named beside those it has', async () => {
    await expect(build(image, { platforms: ['linux/s390x', 'linux/arm64/v7'] })).rejects.toMatchObject({
      type: 'ImageUnsupported',
      message: `${SOURCE} can't be mirrored: it has none of the platforms linux/s390x, linux/arm64/v7, only linux/amd64, linux/arm64/v8, windows/amd64:10.0.17763.1, windows/amd64:10.0.20348.9.`,
    });
    await expect(build(imageOf(), { platforms: ['linux/s390x'] })).rejects.toThrow('only linux/amd64');
  });
});

describe('an index', () => {
  it('loses attestations of what was replaced, and keeps artifacts', async () => {
    const [amd64, arm64] = [imageOf(), imageOf({ platform: LINUX_ARM64 })];
    const artifact = artifactOf('sbom');
    const image = indexOf([amd64, arm64], { extras: [attestationOf(amd64.top), artifact] });
    const { built, json, content } = await build(image);
    const digests = (await json(built.digest)).manifests.map((entry: { digest: string }) => entry.digest);
    expect(digests).toEqual([
      ...built.platforms.map(({ target }) => target),
      artifact.manifest.descriptor.digest,
    ]);
    expect(await content.has(artifact.manifest.descriptor.digest)).toBe(true);
  });

  it('that does not say its platforms has them from the configs', async () => {
    const image = imageOf({ platform: LINUX_ARM64 });
    const silent = indexOf([], { extras: [{ manifest: image.top, blobs: image.blobs }] });
    const { built } = await build(silent, { platforms: ['linux/arm64'] });
    expect(built.platforms.map(({ platform }) => platform)).toEqual(['linux/arm64/v8']);
  });

  it.each([
    [
      'an index inside',
      indexOf([imageOf()], { extras: [{ manifest: twoPlatformImage().top }] }),
      'an index inside',
    ],
    ['artifacts alone', indexOf([], { extras: [artifactOf('x')] }), 'it holds no image'],
    ['nothing', indexOf([]), 'it holds no image'],
  ])('with %s is refused', async (_, image, message) => {
    const error = await build(image).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'ImageUnsupported', message: expect.stringContaining(message) });
  });
});

describe('an image that can not be labelled', () => {
  it('is refused by name, with what is wrong', async () => {
    const config = '{"architecture":"amd64","os":"linux","config":{},"config":{}}';
    await expect(build(imageOf({ config }))).rejects.toMatchObject({
      type: 'ImageUnsupported',
      message: `${SOURCE} can't be labelled: the document has the key "config" twice.`,
    });
  });

  it('is refused when its registry lost it', async () => {
    const image = imageOf();
    await expect(build({ ...image, blobs: [] })).rejects.toMatchObject({ type: 'ImageNotFound' });
    await expect(build({ ...image, manifests: [] })).rejects.toMatchObject({ type: 'ImageNotFound' });
  });
});
