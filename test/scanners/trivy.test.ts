import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Reference } from '../../src/contract/brand.js';
import { buildImage } from '../../src/demo/fleet/image.js';
import { debian } from '../../src/demo/fleet/packages.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { SCANS_AT_ONCE } from '../../src/scanners/trivy.js';
import { readFindings, readLastVerdict } from '../../src/scanners/verdict-store.js';
import { isRunning } from '../support/running.js';
import { imageOf, startWorld, stepContext, type World } from './world.js';

/** An image of its own for each test, so that none finds another's evidence. */
const vulnerable = (name: string) =>
  imageOf((arch) => [
    { path: 'name', content: name },
    ...debian('11.11', [{ name: 'zlib1g', source: 'zlib', version: '1:1.2.11.dfsg-2' }], arch),
  ]);

describe('a scan', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  const program = async (name: string, body: string): Promise<string> => {
    const path = join(world.directory, name);
    await writeFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return path;
  };

  it('reads Docker v2 and OCI images alike, and leaves nothing behind but blobs', async () => {
    const layers = [
      {
        createdBy: 'test',
        entries: (arch: 'amd64' | 'arm64') =>
          debian('11.11', [{ name: 'zlib1g', source: 'zlib', version: '1:1.2.11.dfsg-2' }], arch),
      },
    ];
    for (const kind of ['oci', 'docker'] as const) {
      const task = await world.task(buildImage({ kind, layers, config: { kind } }));
      const verdict = await world.scanner().scan(task, stepContext());
      expect(verdict.platforms.map(({ fixable }) => fixable.CRITICAL)).toEqual([1, 1]);
    }
    expect(await readdir(join(world.content.directory, 'scans'))).toEqual([]);
  });

  it('looks at the wanted platforms only', async () => {
    const task = await world.task(vulnerable('wanted'), { platforms: ['linux/arm64'] });
    const verdict = await world.scanner().scan(task, stepContext());
    expect(verdict.platforms.map(({ platform }) => platform)).toEqual(['linux/arm64']);
  });

  it('is not made again for the same platform, database and scanner: not a layer is fetched', async () => {
    const task = await world.task(vulnerable('again'));
    const first = await world.scanner().scan(task, stepContext());
    class NoLayers extends SourceFetcher {
      override layer(): Promise<void> {
        throw new Error('a layer was fetched');
      }
    }
    const context = stepContext();
    const fetcher = new NoLayers(world.client, world.content);
    const second = await world.scanner({ fetcher }).scan(task, context);
    expect(second).toEqual(first);
    expect(context.phases).not.toContain('scan');
  });

  it('is made again where its evidence was damaged', async () => {
    const task = await world.task(vulnerable('damaged'));
    const { platforms } = await world.scanner().scan(task, stepContext());
    await world.evidence.put(platforms[0]?.evidence.key ?? '', '{"SchemaVersion":2,');
    const context = stepContext();
    expect((await world.scanner().scan(task, context)).decision).toBe('block');
    expect(context.phases.filter((phase) => phase === 'scan')).toHaveLength(1);
  });

  it('leaves its verdict under the source digest, and its findings can be read back', async () => {
    const task = await world.task(vulnerable('read back'));
    expect(await readLastVerdict(world.evidence, task.sourceDigest, [])).toBeUndefined();
    const verdict = await world.scanner().scan(task, stepContext());
    const last = await readLastVerdict(world.evidence, task.sourceDigest, []);
    expect(last).toEqual({ ...verdict, key: `verdicts/${task.sourceDigest.slice(7)}.json` });
    const [platform] = verdict.platforms;
    if (platform === undefined) throw new Error('no platform');
    const exceptions = [{ id: 'CVE-2022-37434', owner: 'ci', reason: 'r', expires: '2026-12-31' }];
    const findings = await readFindings(world.evidence, platform, {
      policy: { exceptions },
      today: '2026-12-31',
    });
    expect(findings).toEqual([
      {
        id: 'CVE-2022-37434',
        package: 'zlib1g',
        installed: '1:1.2.11.dfsg-2',
        fixed: '1:1.2.11.dfsg-2+deb11u2',
        severity: 'CRITICAL',
        title: expect.stringContaining('zlib'),
        url: expect.stringContaining('cve-2022-37434'),
        foundBy: ['trivy'],
        suppressedBy: exceptions[0],
      },
    ]);
    await world.evidence.put(platform.evidence.key, '{}');
    await expect(readFindings(world.evidence, platform)).rejects.toMatchObject({
      type: 'EvidenceUnavailable',
    });
  });

  it('of some platforms leaves the verdict on all of them, or on others, as it was', async () => {
    const image = imageOf((arch) =>
      arch === 'amd64'
        ? debian('12.1', [{ name: 'zlib1g', source: 'zlib', version: '9:1' }], arch)
        : debian('11.1', [{ name: 'zlib1g', source: 'zlib', version: '1' }], arch),
    );
    const task = await world.task(image);
    const last = (...platforms: string[]) => readLastVerdict(world.evidence, task.sourceDigest, platforms);
    const both = ['linux/arm64', 'linux/amd64'];
    const scan = (platforms: string[]) => world.scanner().scan({ ...task, platforms }, stepContext());
    await scan(both);
    await scan([]);
    expect((await scan(['linux/amd64'])).decision).toBe('pass');
    expect([await last(), await last('linux/amd64'), await last('linux/amd64', 'linux/arm64')]).toMatchObject(
      [
        { decision: 'block', key: `verdicts/${task.sourceDigest.slice(7)}.json` },
        { decision: 'pass', key: expect.stringMatching(/^verdicts\/[0-9a-f]{64}-[0-9a-f]{8}\.json$/) },
        { decision: 'block' },
      ],
    );
    expect(await last('linux/arm64')).toBeUndefined();
  });

  it('takes a verdict that it can not read for none', async () => {
    const { sourceDigest } = await world.task(vulnerable('unreadable'));
    await world.evidence.put(`verdicts/${sourceDigest.slice(7)}.json`, '{"decision":"fine"}');
    expect(await readLastVerdict(world.evidence, sourceDigest, [])).toBeUndefined();
  });

  it.each([
    ['garbage', '[ "$1" = version ] && exec trivy "$@"; echo nonsense > ../report.json', /not JSON/],
    ['no report', '[ "$1" = version ] && exec trivy "$@"; exit 0', /made no report/],
    ['an error', '[ "$1" = version ] && exec trivy "$@"; echo "FATAL Fatal error boom" >&2; exit 1', /boom/],
    [
      "another image's report",
      '[ "$1" = version ] && exec trivy "$@"; echo \'{"SchemaVersion":2,"CreatedAt":"2026-11-01T00:00:00Z","Metadata":{"ImageID":"sha256:0"}}\' > ../report.json',
      /another image/,
    ],
  ])('that ends with %s has failed, whatever the exit code', async (name, body, message) => {
    const fake = await program(`trivy-${name.replace(/\W/g, '-')}`, body);
    const task = await world.task(vulnerable(name));
    await expect(world.scanner({ program: fake }).scan(task, stepContext())).rejects.toMatchObject({
      type: 'ScannerFailed',
      message: expect.stringMatching(message),
    });
    expect(await readLastVerdict(world.evidence, task.sourceDigest, [])).toBeUndefined();
  });

  it('that ends with an error has failed, even if there is a report', async () => {
    const fake = await program('trivy-half', 'trivy "$@" || exit; [ "$1" = version ] || exit 1');
    const task = await world.task(vulnerable('half'));
    await expect(world.scanner({ program: fake }).scan(task, stepContext())).rejects.toMatchObject({
      type: 'ScannerFailed',
    });
  });

  it('without Trivy says that it is missing', async () => {
    const scanner = world.scanner({ program: 'no-such-trivy' });
    await expect(scanner.pinDatabase(48, stepContext())).rejects.toMatchObject({ type: 'ScannerMissing' });
  });

  it('that is cancelled ends at once with everything that it started', async () => {
    const pid = join(world.directory, 'child.pid');
    const hanging = await program(
      'trivy-hanging',
      `[ "$1" = version ] && exec trivy "$@"\nsleep 1000 & echo $! > '${pid}.tmp' && mv '${pid}.tmp' '${pid}'\nwait`,
    );
    const cancel = new AbortController();
    const context = stepContext(cancel.signal);
    const task = await world.task(vulnerable('cancelled'), { platforms: ['linux/amd64'] });
    const scan = world.scanner({ program: hanging }).scan(task, context);
    await expect.poll(() => stat(pid).then(Boolean, () => false), { timeout: 20_000 }).toBe(true);
    cancel.abort(new Error('stop'));
    await expect(scan).rejects.toThrow('stop');
    const child = Number(await readFile(pid, 'utf8'));
    await expect.poll(() => isRunning(child), { timeout: 20_000 }).toBe(false);
    expect(await readdir(join(world.content.directory, 'scans'))).toEqual([]);
  });

  it('that is cancelled while others take all places does not wait for one', async () => {
    const hanging = await program('trivy-busy', '[ "$1" = version ] && exec trivy "$@"\nexec sleep 1000');
    const scanner = world.scanner({ program: hanging });
    const scans = join(world.content.directory, 'scans');
    await mkdir(scans, { recursive: true });
    const start = async (name: string, signal: AbortSignal) => {
      const { length } = await readdir(scans);
      const task = await world.task(vulnerable(name), { platforms: ['linux/amd64'] });
      const context = stepContext(signal);
      const end = scanner.scan(task, context).catch((error: unknown) => error);
      const layouts = async () =>
        (await readdir(scans, { recursive: true })).filter((path) => path.endsWith('run/image/index.json'));
      await expect.poll(layouts, { timeout: 20_000 }).toHaveLength(length + 1);
      return { end, context };
    };
    const [others, own] = [new AbortController(), new AbortController()];
    const running = [];
    for (let place = 0; place < SCANS_AT_ONCE; place++) {
      const { end, context } = await start(`place ${place}`, others.signal);
      await expect.poll(() => context.phases, { timeout: 20_000 }).toContain('scan');
      running.push(end);
    }
    const { end, context } = await start('waiting', own.signal);
    own.abort(new Error('stop'));
    expect(await end).toEqual(new Error('stop'));
    expect(context.phases).not.toContain('scan');
    expect(await readdir(scans)).toHaveLength(SCANS_AT_ONCE);
    others.abort(new Error('the end'));
    expect(await Promise.all(running)).toEqual(running.map(() => new Error('the end')));
  });

  it('of an image whose base layers are foreign fetches nothing and is not scannable', async () => {
    const image = vulnerable('foreign');
    const task = await world.task(image);
    class Foreign extends SourceFetcher {
      override async image(...args: [Reference, never, AbortSignal, (readonly string[])?]) {
        const tree = await super.image(...args);
        const platforms = tree.platforms.map((one) => ({
          ...one,
          layers: one.layers.map((layer) => ({ ...layer, foreign: true })),
        }));
        return { ...tree, platforms };
      }
    }
    const fetcher = new Foreign(world.client, world.content);
    const verdict = await world.scanner({ fetcher }).scan(task, stepContext());
    expect(verdict).toMatchObject({ decision: 'warn', platforms: [{ status: 'not-scannable' }, {}] });
    const [layer] = image.blobs.filter(({ descriptor }) => descriptor.mediaType.includes('layer'));
    expect(layer && (await world.content.has(layer.descriptor.digest))).toBe(false);
  });
});
