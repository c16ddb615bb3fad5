import { describe, expect, it } from 'vitest';
import type { StepProgress } from '../../src/common/step.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { BLOB_TYPE, parseManifest } from '../../src/registry/manifest.js';
import { platformWanted } from '../../src/registry/platform.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { temporaryDirectory } from '../support/directory.js';
import { blobOf, imageOf, layerOf, ref, type TestImage, twoPlatformImage } from '../support/images.js';
import { MemoryRegistry } from '../support/memory-registry.js';

const SOURCE = ref('docker.io/harness/ci-addon:1');
const signal = new AbortController().signal;

async function fetcherOf(image: TestImage) {
  const registry = new MemoryRegistry().add(SOURCE, image);
  const content = await DirectoryContentStore.open(await temporaryDirectory());
  return { registry, content, fetcher: new SourceFetcher(registry, content) };
}

describe('fetching', () => {
  it('asks the registry once for what the content store then has', async () => {
    const image = twoPlatformImage();
    const { registry, fetcher } = await fetcherOf(image);
    const first = await fetcher.image(SOURCE, image.top.descriptor.digest, signal);
    const second = await fetcher.image(SOURCE, image.top.descriptor.digest, signal);
    expect(second).toEqual(first);
    expect(registry.calls).toHaveLength(3);
    expect(registry.calls[0]).toBe(`manifest docker.io/harness/ci-addon@${image.top.descriptor.digest}`);
  });

  it('brings a layer in and shows how far it is', async () => {
    const image = imageOf();
    const { content, fetcher } = await fetcherOf(image);
    const [layer] =
      (await fetcher.image(SOURCE, image.top.descriptor.digest, signal)).platforms[0]?.layers ?? [];
    if (layer === undefined) throw new Error('no layer');
    const seen: StepProgress[] = [];
    await fetcher.layer(SOURCE, layer, { signal, progress: (detail) => seen.push(detail) });
    expect(await content.has(layer.digest)).toBe(true);
    expect(seen.at(-1)).toEqual({ phase: 'download', bytes: layer.size, total: layer.size });
  });

  it.each([
    ['Docker’s foreign type', layerOf({ a: '1' }, { mediaType: BLOB_TYPE.dockerForeignLayer })],
    [
      'OCI’s nondistributable type',
      layerOf({ a: '1' }, { mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' }),
    ],
  ])('never fetches a layer of %s', async (_, layer) => {
    const image = imageOf({ layers: [layer] });
    const { registry, content, fetcher } = await fetcherOf(image);
    const [found] =
      (await fetcher.image(SOURCE, image.top.descriptor.digest, signal)).platforms[0]?.layers ?? [];
    if (found === undefined) throw new Error('no layer');
    expect(found).toEqual({ ...layer.descriptor, foreign: true });
    await fetcher.layer(SOURCE, found, { signal, progress: () => undefined });
    expect(await content.has(found.digest)).toBe(false);
    expect(registry.calls).not.toContain(`blob ${found.digest}`);
  });

  it('refuses what a registry sends in place of the manifest', async () => {
    const [image, other] = [imageOf(), twoPlatformImage()];
    const { descriptor } = image.top;
    const { fetcher } = await fetcherOf({ ...image, manifests: [{ descriptor, bytes: other.top.bytes }] });
    const result = fetcher.manifest(SOURCE, descriptor.digest, signal);
    await expect(result).rejects.toMatchObject({ type: 'TransferCorrupt' });
  });
});

describe('a manifest', () => {
  const { descriptor } = blobOf(BLOB_TYPE.ociConfig, '{}');
  const parse = (document: object) => parseManifest(Buffer.from(JSON.stringify(document)), 'the image');

  it('without a media type is known by its shape', () => {
    expect(parse({ schemaVersion: 2, manifests: [] }).mediaType).toContain('oci.image.index');
    expect(parse({ schemaVersion: 2, config: descriptor, layers: [] }).mediaType).toContain(
      'oci.image.manifest',
    );
  });

  it('marks layers that lie at other URLs as foreign', () => {
    const parsed = parse({
      config: descriptor,
      layers: [
        { ...descriptor, urls: ['https://x'] },
        { ...descriptor, urls: null },
      ],
    });
    expect(parsed.kind === 'manifest' && parsed.layers.map((layer) => layer.foreign)).toEqual([true, false]);
  });

  it.each([
    [
      'both shapes at once',
      { manifests: [], config: descriptor, layers: [] },
      'an index and an image at once',
    ],
    ['neither shape', {}, 'neither images nor config'],
    ['Docker’s schema 1', { schemaVersion: 1, fsLayers: [] }, 'schema 1'],
    [
      'a type that is not its shape',
      { mediaType: 'application/vnd.oci.image.index.v1+json', config: descriptor, layers: [] },
      'media type',
    ],
    [
      'a digest that is none',
      { config: { ...descriptor, digest: 'sha256:../x' }, layers: [] },
      'config.digest',
    ],
    ['a negative size', { config: { ...descriptor, size: -1 }, layers: [] }, 'config.size'],
  ])('with %s is refused', (_, document, message) => {
    expect(() => parse(document)).toThrow(message);
  });
});

describe('a wanted platform', () => {
  it.each([
    ['linux/arm64', 'linux/arm64/v8', true],
    ['linux/arm64/v8', 'linux/arm64', true],
    ['linux/arm', 'linux/arm/v6', true],
    ['linux/arm/v6', 'linux/arm', false],
    ['linux/arm/v7', 'linux/arm', true],
    ['linux/amd64', 'linux/amd64/v2', true],
    ['linux/amd64', 'windows/amd64:10.0.1.2', false],
    ['windows/amd64:10.0.1', 'windows/amd64:10.0.1.2', true],
    ['windows/amd64:10.0.1', 'windows/amd64:10.0.17.2', false],
    ['windows/amd64:10.0.1.2', 'windows/amd64:10.0.1.2', true],
    ['windows/amd64:10.0.1', 'windows/amd64', false],
  ])('%s covers %s: %s', (wanted, platform, expected) => {
    expect(platformWanted(platform, [wanted])).toBe(expected);
  });
});
