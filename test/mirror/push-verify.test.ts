import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PushTask } from '../../src/contract/activities.js';
import type { Digest } from '../../src/contract/brand.js';
import type { BuildEngine } from '../../src/engines/engine.js';
import { readLedger } from '../../src/mirror/ledger.js';
import { pushImage } from '../../src/mirror/push.js';
import { verifyImage } from '../../src/mirror/verify.js';
import { digestOf } from '../../src/registry/digest.js';
import { relabelConfig, relabelIndex, relabelManifest } from '../../src/registry/relabel.js';
import {
  artifactOf,
  attestationOf,
  blobOf,
  imageOf,
  indexOf,
  LINUX_AMD64,
  LINUX_ARM64,
  layerOf,
  twoPlatformImage,
} from '../support/images.js';
import { built, context, crane, mirror, openSides, publish, type Sides } from './side.js';

const push = (sides: Sides, task: PushTask) =>
  pushImage(task, { ...sides, target: sides.registry }, context());

/** Verifies as the activity does: with a client that knows nothing. */
async function verify(sides: Omit<Sides, 'engine'> & { engine: BuildEngine }, task: PushTask): Promise<void> {
  const target = sides.client();
  onTestFinished(() => target.close());
  await verifyImage(task, { ...sides, target }, context());
}

/** Where distribution's file system driver keeps a blob. */
const storedAt = (sides: Sides, digest: Digest): string => {
  const hex = digest.slice('sha256:'.length);
  return join(sides.target.storageDir, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
};

describe('pushing', () => {
  it.each(['oci', 'docker'] as const)(
    'puts a two-platform %s image where crane finds it whole and labelled',
    async (flavour) => {
      const sides = await openSides();
      const task = await built(sides, 'harness/ci-addon:1.2.3', twoPlatformImage(flavour));
      const summary = await mirror(sides, task);
      expect(summary).toMatchObject({ blobs: 4, uploadedBlobs: 4, mountedBlobs: 0 });
      await crane('validate', '--remote', task.target);
      expect(await crane('digest', task.target)).toBe(task.built.digest);
      for (const platform of ['linux/amd64', 'linux/arm64']) {
        const config = JSON.parse(await crane('config', '--platform', platform, task.target));
        expect(config.config.Labels).toMatchObject({
          'io.harness.image-factory.source': task.source,
          'io.harness.image-factory.source-digest': task.sourceDigest,
          'com.example.team': 'platform',
        });
        expect(config.config.Entrypoint).toEqual(['/app']);
      }
    },
  );

  it('sends nothing the second time', async () => {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1.2.3', twoPlatformImage());
    await push(sides, task);
    expect(await push(sides, task)).toMatchObject({ uploadedBlobs: 0, uploadedBytes: 0 });
  });

  it('sends what the registry has lost since, and says so', async () => {
    const sides = await openSides();
    const layer = layerOf({ 'lib/lost': 'later' });
    const task = await built(sides, 'harness/ci-addon:1.2.3', imageOf({ layers: [layer] }));
    await push(sides, task);
    await rm(storedAt(sides, layer.descriptor.digest));
    // The client remembers the layer, so it is the manifest that is refused.
    expect(await push(sides, task)).toEqual({
      blobs: 2,
      uploadedBlobs: 1,
      mountedBlobs: 0,
      uploadedBytes: layer.descriptor.size,
    });
    await verify(sides, task);
    await crane('validate', '--remote', task.target);
  });

  it('mounts a layer that another repository of the registry has', async () => {
    const sides = await openSides();
    const shared = layerOf({ 'lib/shared': 'the same in both' });
    const one = imageOf({ layers: [shared, layerOf({ a: '1' })] });
    const two = imageOf({ layers: [shared, layerOf({ b: '2' })] });
    await push(sides, await built(sides, 'harness/one:1', one));
    const task = await built(sides, 'plugins/two:1', two);
    expect(await mirror(sides, task)).toMatchObject({ mountedBlobs: 1 });
    await crane('validate', '--remote', task.target);
  });

  it('takes artifacts along as they are, and leaves attestations of the old digests behind', async () => {
    const sides = await openSides();
    const amd64 = imageOf({ platform: LINUX_AMD64 });
    const extras = [attestationOf(amd64.top), artifactOf('{"spdxVersion":"SPDX-2.3"}')];
    const image = indexOf([amd64, imageOf({ platform: LINUX_ARM64 })], { extras });
    const task = await built(sides, 'harness/x:1', image);
    await push(sides, task);
    await verify(sides, task);
    const index = JSON.parse(await crane('manifest', task.target));
    expect(index.manifests).toHaveLength(3);
    expect(index.manifests[2].digest).toBe(extras[1]?.manifest.descriptor.digest);
  });

  it('keeps a foreign layer as a descriptor and neither fetches nor sends it', async () => {
    // Both distributions refuse foreign layers unless they are told which URLs are good.
    const sides = await openSides({
      validation: { manifests: { urls: { allow: ['^https://mcr\\.example/'] } } },
    });
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    const layer = layerOf({ 'Windows/System32/kernel32.dll': 'no' }, { flavour: 'docker', mediaType });
    const foreign = { ...layer, descriptor: { ...layer.descriptor, urls: ['https://mcr.example/layer'] } };
    const image = imageOf({
      flavour: 'docker',
      layers: [foreign, layerOf({ app: '1' }, { flavour: 'docker' })],
    });
    // A registry without the blob, as every mirror of Windows images is.
    const incomplete = { ...image, blobs: image.blobs.filter((blob) => blob !== foreign) };
    const task = await built(sides, 'harness/windows:1', incomplete);
    await push(sides, task);
    await verify(sides, task);
    expect(await sides.content.has(foreign.descriptor.digest)).toBe(false);
    expect(JSON.parse(await crane('manifest', task.target)).layers[0]).toEqual(foreign.descriptor);
  });

  it('says what to do when a registry refuses foreign layers', async () => {
    const sides = await openSides();
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    const foreign = layerOf({ 'Windows/System32/kernel32.dll': 'no' }, { flavour: 'docker', mediaType });
    const image = imageOf({ flavour: 'docker', layers: [foreign] });
    const reference = sides.targetReference('harness/windows:1');
    await expect(publish(sides.registry, reference, image)).rejects.toMatchObject({
      type: 'ForeignLayersRefused',
    });
  });
});

describe('the tag', () => {
  it('is put when all else was seen in the registry, and not before', async () => {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1', twoPlatformImage());
    await push(sides, task);
    expect(await sides.registry.head(task.target)).toBeUndefined();
    await verify(sides, task);
    expect(await crane('digest', task.target)).toBe(task.built.digest);
    expect(await readLedger(sides.evidence, task.target)).toMatchObject({
      digest: task.built.digest,
      verifiedAt: expect.any(String),
    });
  });

  it('keeps the image before, which builds pull, when the new one is not whole', async () => {
    const sides = await openSides();
    const layer = layerOf({ app: '2' });
    const before = await built(sides, 'harness/ci-addon:1', imageOf({ layers: [layerOf({ app: '1' })] }));
    await mirror(sides, before);
    const after = await built(sides, 'harness/ci-addon:1', imageOf({ layers: [layer] }));
    await push(sides, after);
    await rm(storedAt(sides, layer.descriptor.digest));
    await expect(verify(sides, after)).rejects.toMatchObject({ type: 'VerificationFailed' });
    expect(await crane('digest', before.target)).toBe(before.built.digest);
    await crane('validate', '--remote', before.target);
    expect(await readLedger(sides.evidence, before.target)).toMatchObject({ digest: before.built.digest });
  });

  it('is not put where a worker of an older version only labelled what was to be built', async () => {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1', twoPlatformImage());
    await push(sides, task);
    const meant: PushTask = { ...task, build: { ...task.build, engine: 'buildkit' } };
    await expect(verify(sides, meant)).rejects.toMatchObject({
      type: 'ImageUnsupported',
      message: expect.stringMatching(
        /^harness\/ci-addon:1 was not built for linux\/amd64, linux\/arm64\/v8 .*: run the same version on all/,
      ),
    });
    await expect(push(sides, meant)).rejects.toMatchObject({ type: 'ImageUnsupported' });
    expect(await sides.registry.head(task.target)).toBeUndefined();
  });

  it('is put back where someone moved it meanwhile', async () => {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1', twoPlatformImage());
    await push(sides, task);
    await publish(sides.registry, task.target, imageOf());
    await verify(sides, task);
    expect(await crane('digest', task.target)).toBe(task.built.digest);
  });
});

describe('verifying finds', () => {
  /** A pushed and good image, to be damaged. */
  async function pushed() {
    const sides = await openSides();
    const task = await built(sides, 'harness/ci-addon:1', twoPlatformImage());
    await push(sides, task);
    await verify(sides, task);
    const tree = await sides.fetcher.image(task.source, task.sourceDigest, context().signal);
    return { sides, task, platforms: tree.platforms };
  }

  it('a layer that is gone', async () => {
    const { sides, task, platforms } = await pushed();
    const [layer] = platforms[0]?.layers ?? [];
    await rm(storedAt(sides, layer?.digest ?? digestOf('')));
    await expect(verify(sides, task)).rejects.toThrow(/linux\/amd64: layer sha256:\w+ is not there/);
  });

  it('a layer that was cut short', async () => {
    const { sides, task, platforms } = await pushed();
    const [layer] = platforms[1]?.layers ?? [];
    await truncate(storedAt(sides, layer?.digest ?? digestOf('')), 10);
    await expect(verify(sides, task)).rejects.toThrow(/linux\/arm64\/v8: layer sha256:\w+ has 10 bytes/);
  });

  it('a config that was damaged', async () => {
    const { sides, task } = await pushed();
    const manifest = JSON.parse(await crane('manifest', '--platform', 'linux/amd64', task.target));
    await truncate(storedAt(sides, manifest.config.digest), 10);
    await expect(verify(sides, task)).rejects.toMatchObject({
      type: 'VerificationFailed',
      message: expect.stringContaining('linux/amd64: config'),
    });
  });

  it('a platform’s manifest that was damaged', async () => {
    const { sides, task } = await pushed();
    const [platform] = task.built.platforms;
    const path = storedAt(sides, platform?.target ?? digestOf(''));
    await writeFile(path, (await readFile(path, 'utf8')).replace('"size":', '"size": '));
    await expect(verify(sides, task)).rejects.toMatchObject({ type: 'VerificationFailed' });
  });

  it('a platform’s manifest that is gone', async () => {
    const { sides, task } = await pushed();
    const [platform] = task.built.platforms;
    await rm(storedAt(sides, platform?.target ?? digestOf('')));
    await expect(verify(sides, task)).rejects.toMatchObject({ type: 'VerificationFailed' });
  });

  it('labels and an entrypoint that someone changed, even under a consistent index', async () => {
    const { sides, task, platforms } = await pushed();
    const replacements = new Map<Digest, PushTask['sourceDigest']>();
    const blobs = [];
    const manifests = [];
    for (const { manifest, config, layers } of platforms) {
      const bytes = await sides.fetcher.config(task.source, config, context().signal);
      const edited = relabelConfig(bytes, { 'com.example.team': 'mallory' })
        .toString()
        .replace('"/app"', '"/evil"');
      const newConfig = blobOf(config.mediaType, edited);
      const newManifest = blobOf(
        manifest.descriptor.mediaType,
        relabelManifest(manifest.bytes, { config: newConfig.descriptor }),
      );
      blobs.push(newConfig);
      manifests.push(newManifest);
      replacements.set(manifest.descriptor.digest, newManifest.descriptor.digest);
      for (const layer of layers) await sides.fetcher.layer(task.source, layer, context());
    }
    const top = await sides.fetcher.manifest(task.source, task.sourceDigest, context().signal);
    const index = blobOf(
      top.descriptor.mediaType,
      relabelIndex(top.bytes, {
        replacements: new Map(
          manifests.map((manifest, n) => [
            platforms[n]?.manifest.descriptor.digest ?? digestOf(''),
            manifest.descriptor,
          ]),
        ),
        keep: () => true,
      }),
    );
    await publish(sides.registry, task.target, {
      top: index,
      manifests: [...manifests, index],
      blobs,
      platforms: [],
    });
    const forged: PushTask = {
      ...task,
      built: {
        ...task.built,
        digest: index.descriptor.digest,
        platforms: task.built.platforms.map((platform) => ({
          ...platform,
          target: replacements.get(platform.source) ?? platform.target,
        })),
      },
    };
    await sides.content.write(index.bytes);
    for (const { bytes } of manifests) await sides.content.write(bytes);
    // As if the forger had been at our engine too.
    const engine = { name: 'registry' as const, build: async () => forged.built };
    const error = await verify({ ...sides, engine }, forged).catch((reason: Error) => reason);
    expect(error).toMatchObject({ type: 'VerificationFailed' });
    expect(String(error)).toContain('linux/amd64: labels are not as meant');
    expect(String(error)).toContain('linux/arm64/v8: Entrypoint differs');
  });

  it('a lost blob, which a repairing push then mends', async () => {
    const { sides, task, platforms } = await pushed();
    const [layer] = platforms[0]?.layers ?? [];
    await rm(storedAt(sides, layer?.digest ?? digestOf('')));
    await expect(verify(sides, task)).rejects.toThrow();
    await push(sides, { ...task, repair: true });
    await verify(sides, task);
    await crane('validate', '--remote', task.target);
  });
});
