import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScanTask } from '../../src/contract/activities.js';
import type { BuiltImage } from '../../src/contract/outcome.js';
import type { Blob } from '../../src/demo/fleet/blob.js';
import { debian } from '../../src/demo/fleet/packages.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { readLastVerdict } from '../../src/scanners/verdict-store.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { imageOf, LAYOUT, OUTPUT, startWorld, stepContext, type World } from './world.js';

const system = (version: string) => (arch: 'amd64' | 'arm64') =>
  debian('11.11', [{ name: 'zlib1g', source: 'zlib', version }], arch);
const GOOD = '9:1';
const BAD = '1:1.2.11.dfsg-2';

/** A source of two layers, and what an engine makes of it on amd64: one layer more, with this version of a package. */
function imagesOf(name: string, version: string) {
  const base = [system(GOOD), () => [{ path: 'name', content: name }]];
  const source = imageOf(...base);
  const after = imageOf(...base, system(version));
  const [amd64, arm64] = source.manifests;
  const target = after.manifests[0];
  if (amd64 === undefined || arm64 === undefined || target === undefined) throw new Error('two platforms');
  const known = new Set(source.blobs.map(({ descriptor }) => descriptor.digest));
  const made: Blob[] = [after.top, ...after.manifests.slice(0, 1), ...after.blobs.slice(0, 4)].filter(
    ({ descriptor }) => !known.has(descriptor.digest),
  );
  const built: BuiltImage = {
    digest: after.top.descriptor.digest,
    mediaType: after.top.descriptor.mediaType,
    platforms: [
      {
        platform: 'linux/amd64',
        source: amd64.descriptor.digest,
        target: target.descriptor.digest,
        how: 'built',
      },
      {
        platform: 'linux/arm64',
        source: arm64.descriptor.digest,
        target: arm64.descriptor.digest,
        how: 'labelled',
      },
    ],
  };
  return { source, built, made };
}

describe('what a Docker Engine built', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  /** A worker of its own: its content store has what was built and nothing of the source. */
  async function worker(name: string, made: readonly Blob[]) {
    const content = await DirectoryContentStore.open(join(world.directory, `content-${name}`));
    for (const { bytes } of made) await content.write(bytes);
    const fetcher = new SourceFetcher(world.client, content);
    return { content, scanner: world.scanner({ content, fetcher }) };
  }

  it('is judged by itself, on the platforms that were built, and by the layers that came with it', async () => {
    const { source, built, made } = imagesOf('judged', BAD);
    const task = await world.task(source);
    const { scanner } = await worker('judged', made);
    expect((await scanner.scan(task, stepContext())).decision).toBe('pass');
    const verdict = await scanner.scan({ ...task, built }, stepContext());
    expect(verdict).toMatchObject({
      decision: 'block',
      platforms: [{ platform: 'linux/amd64', digest: built.platforms[0]?.target, counts: { CRITICAL: 1 } }],
    });
    expect(verdict.platforms).toHaveLength(1);
    const { key } = verdict.platforms[0]?.evidence ?? { key: '' };
    expect(key).toContain(`scans/${built.platforms[0]?.target.slice('sha256:'.length)}/`);
    expect(await readLastVerdict(world.evidence, built.digest, [])).toMatchObject({ decision: 'block' });
    expect(await readLastVerdict(world.evidence, task.sourceDigest, [])).toMatchObject({ decision: 'pass' });
  });

  it('is the better for what was mended in it', async () => {
    const base = [system(BAD)];
    const task = await world.task(imageOf(...base));
    const after = imageOf(...base, system(GOOD));
    const [source, target] = [imageOf(...base).manifests[0], after.manifests[0]];
    if (source === undefined || target === undefined) throw new Error('it has a platform');
    const { scanner } = await worker('mended', [after.top, target, ...after.blobs.slice(0, 3)]);
    const built: BuiltImage = {
      ...after.top.descriptor,
      platforms: [
        {
          platform: 'linux/amd64',
          source: source.descriptor.digest,
          target: target.descriptor.digest,
          how: 'built',
        },
      ],
    };
    expect((await scanner.scan({ ...task, built }, stepContext())).decision).toBe('pass');
  });

  it('has its base fetched from the source where this worker lacks it, and each shared layer analysed once', async () => {
    const { source, built, made } = imagesOf('shared', BAD);
    const task = await world.task(source, { platforms: ['linux/amd64'] });
    const { content, scanner } = await worker('shared', made);
    await scanner.scan({ ...task, built }, stepContext());
    const analyses = async () =>
      (await readdir(join(content.directory, 'analyses'), { recursive: true })).filter((name) =>
        name.endsWith('.json'),
      );
    const known = await analyses();
    expect(known).toHaveLength(3);
    await scanner.scan(task, stepContext());
    expect(await analyses()).toEqual(known); // both of its layers
  });

  it('is what scanners beside Trivy get', async () => {
    const { source, built, made } = imagesOf('external', GOOD);
    const program = join(world.directory, 'names-it');
    await writeFile(
      program,
      `#!/bin/sh
digest=$(grep -o 'sha256:[0-9a-f]*' "$1/index.json")
echo '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"ruleId":"'$digest'"}]}]}' > "$2"
`,
      { mode: 0o755 },
    );
    const names = { name: 'names', command: program, args: [LAYOUT, OUTPUT], env: [], files: [] };
    const task = await world.task(source, { scanners: [{ ...names, timeoutSeconds: 60 }] });
    const { scanner } = await worker('external', made);
    const verdict = await scanner.scan({ ...task, built }, stepContext());
    const ref = verdict.platforms[0]?.others?.[0]?.evidence;
    expect(ref?.key).toContain(`scans/${built.platforms[0]?.target.slice('sha256:'.length)}/names/`);
    expect(String(await world.evidence.get(ref?.key ?? ''))).toContain(built.platforms[0]?.target);
  });

  it('is lost where a part of it is missing, whichever', async () => {
    const { source, built, made } = imagesOf('lost', BAD);
    const task: ScanTask = { ...(await world.task(source)), built };
    expect(made.map(({ descriptor }) => descriptor.mediaType.split('.').at(-1))).toEqual([
      'v1+json', // index
      'v1+json', // manifest
      'v1+json', // config
      'tar+gzip',
    ]);
    for (const [at, { descriptor }] of made.entries()) {
      const { scanner } = await worker(
        `lost-${at}`,
        made.filter((_, other) => other !== at),
      );
      await expect(scanner.scan(task, stepContext())).rejects.toMatchObject({
        type: 'BuiltContentLost',
        message: expect.stringContaining(
          `${task.image} was built, but ${descriptor.digest} is not on this worker: it is built again`,
        ),
      });
    }
    const whole = await worker('lost-none', made);
    expect((await whole.scanner.scan(task, stepContext())).decision).toBe('block');
  });

  it('is nothing where every platform was only labelled', async () => {
    const { source, built, made } = imagesOf('labelled', BAD);
    const { scanner } = await worker('labelled', made);
    const labelled = { ...built, platforms: built.platforms.slice(1) };
    await expect(
      scanner.scan({ ...(await world.task(source)), built: labelled }, stepContext()),
    ).rejects.toMatchObject({ type: 'InvalidInput' });
  });
});
