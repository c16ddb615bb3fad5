import { access, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { request } from 'undici';
import { describe, expect, it, vi } from 'vitest';
import { runProgram } from '../../src/common/process.js';
import { toolsDirectory } from '../../src/demo/tools/environment.js';
import { temporaryDirectory } from '../support/directory.js';
import { cli, startCli } from './cli-process.js';

/** A place for reports and temporary files; whatever the demo starts is known by it. */
async function place() {
  const directory = await temporaryDirectory();
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: directory,
    TMPDIR: directory,
    REPORT_DIR: join(directory, 'reports'),
    // Debian is made once, if it can be made here at all, and not for each test.
    IMAGE_FACTORY_TOOLS_DIR: toolsDirectory(process.env),
  };
  return { directory, env };
}

/** Processes, at any depth, that have the demo's place in their environment or on their command line. */
async function processesOf(directory: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = pids.map(async (pid) => {
    const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => ''); // it has ended, or is another user's
    const [environment, command] = await Promise.all([read('environ'), read('cmdline')]);
    return `${environment}${command}`.includes(directory) ? [command.replaceAll('\0', ' ')] : [];
  });
  return (await Promise.all(commands)).flat();
}

/** Of processes that are not our children no event tells the end. */
async function expectNothingLeft(directory: string): Promise<void> {
  await vi.waitFor(async () => expect(await processesOf(directory)).toEqual([]), {
    timeout: 20_000,
    interval: 100,
  });
  expect((await readdir(directory)).filter((name) => name.startsWith('image-factory-'))).toEqual([]);
}

const PLAIN = { env: { PATH: process.env.PATH ?? '' }, timeoutMs: 60_000 };

const partOf = (text: string, pattern: RegExp): string => {
  const [, part] = pattern.exec(text) ?? [];
  if (part === undefined) throw new Error(`${pattern} is not in: ${text}`);
  return part;
};

describe('the demo', () => {
  it('ends as its fleet was made to end, leaves a report, and nothing else', async () => {
    const { directory, env } = await place();
    const { code, stdout, stderr } = await cli(['demo'], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('36 mirrored, 4 blocked');
    expect(stdout).toContain('As expected: ');
    const report = partOf(stdout, /^report: (.+\.html)$/m);
    expect(report.startsWith(env.REPORT_DIR)).toBe(true);
    await access(report);
    await expectNothingLeft(directory);
  }, 180_000);

  it.each([
    { how: 'killed', signal: 'SIGKILL', end: { code: null } },
    { how: 'stopped', signal: 'SIGINT', end: { code: 1, stderr: 'stopped\n' } },
  ] as const)(
    'that is $how in the middle takes everything with it',
    async ({ signal, end }) => {
      const { directory, env } = await place();
      const demo = startCli(['demo'], env);
      await demo.printed(/✓ .+ mirrored/);
      const before = (await processesOf(directory)).join('\n');
      for (const part of ['temporal server', 'registry serve', 'worker.ts']) expect(before).toContain(part);
      demo.child.kill(signal);
      expect(await demo.ended).toMatchObject(end);
      await expectNothingLeft(directory);
    },
    180_000,
  );

  it('that is kept, with its evidence in S3, can be tried as it says, and ends with Ctrl-C', async () => {
    const { directory, env } = await place();
    const demo = startCli(['demo', '--keep', '--s3'], env);
    await demo.printed(/_catalog\n/);
    const hints = demo.output();
    const input = partOf(hints, /^export INPUT='(.+)'$/m);
    const caller = { ...env, TEMPORAL_ADDRESS: partOf(hints, /^export TEMPORAL_ADDRESS=(\S+)$/m) };
    const counts = async () => {
      const { code, stdout } = await cli(['run', '--json', '--input', input], caller);
      expect(code).toBe(1); // of the images that are blocked
      return JSON.parse(stdout).counts;
    };

    expect(hints).toMatch(/^report: s3:\/\/image-factory\/runs\/.+\/report\.html$/m);
    const report = partOf(hints, /^to open: (.+\.html)$/m);
    const links = [...(await readFile(report, 'utf8')).matchAll(/href="(?!#|https?:)([^"#]+)"/g)];
    expect(links.length).toBeGreaterThan(40);
    for (const [, link = ''] of links) await access(join(dirname(report), decodeURI(link)));

    expect(await counts()).toMatchObject({ mirrored: 0, unchanged: 36, blocked: 4 });

    const released = await cli(['demo', 'release'], caller);
    expect(released).toMatchObject({ code: 0, stderr: '' });
    expect(released.stdout).toContain('Harness released harness/ci-addon:1.16.93');
    expect(await counts()).toMatchObject({ mirrored: 1, unchanged: 35, blocked: 4 });

    const broken = await cli(['demo', 'break'], caller);
    expect(broken).toMatchObject({ code: 0, stderr: '' });
    const copy = partOf(broken.stdout, /lost content of (\S+): /);
    expect((await runProgram('crane', ['validate', '--remote', copy], PLAIN)).code).toBe(1);
    const again = await cli(['demo', 'break'], caller);
    expect(again).toMatchObject({ code: 3, stderr: expect.stringContaining('broken already') });
    expect(await counts()).toMatchObject({ mirrored: 1, unchanged: 35, blocked: 4 });
    expect((await runProgram('crane', ['validate', '--remote', copy], PLAIN)).code).toBe(0);

    const restored = await cli(['restore', partOf(hints, /-- restore (\S+)$/m)], caller);
    expect(restored).toMatchObject({ code: 0, stderr: '' });

    await access(partOf(hints, /^(\S+) workflow start/m));
    const urls = [partOf(hints, /^(http\S+\/user-metadata)$/m), partOf(hints, /^curl -s (\S+)$/m)];
    const [page, catalog] = await Promise.all(
      urls.map(async (url) => {
        const { statusCode, body } = await request(url);
        return { statusCode, text: await body.text() };
      }),
    );
    expect(page?.statusCode).toBe(200);
    expect(catalog?.text).toContain('ci/harness/ci-addon');

    demo.child.kill('SIGINT');
    expect(await demo.ended).toMatchObject({ code: 0, stderr: '' });
    await expectNothingLeft(directory);
    const gone = await cli(['demo', 'release'], caller);
    expect(gone).toMatchObject({ code: 3, stderr: expect.stringContaining('no demo is kept running') });
  }, 300_000);
});
