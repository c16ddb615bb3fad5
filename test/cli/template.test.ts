import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cli } from '../integration/cli-process.js';
import { temporaryDirectory } from '../support/directory.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent' };
const template = (...args: string[]) => cli(['template', ...args], env);

/** A file in a TEMPLATE_DIR of its own. */
async function file(path: string, text: string): Promise<string> {
  const whole = join(await temporaryDirectory(), path);
  await mkdir(join(whole, '..'), { recursive: true });
  await writeFile(whole, text);
  return whole;
}

describe('image-factory template check', () => {
  it('names every fault with the file and its line, and ends with 2', async () => {
    const path = await file(
      'gather-scan/mine.yaml',
      'polcy: {}\npolicy:\n  action: refuse\nsteps:\n  - { name: a, at: after-run, command: "a | b" }\n',
    );
    const { code, stdout, stderr } = await template('check', path);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.split('\n')).toEqual([
      `${path}: line 1: unknown field "polcy" (did you mean policy?)`,
      expect.stringMatching(/: line 3: policy\.action invalid option/),
      expect.stringMatching(/: line 5: steps\[0\]\.command is no line of a shell: name one program/),
      '3 things are wrong',
      '',
    ]);
  });

  it('says what a good one does, and what it wants of the worker', async () => {
    const { code, stdout, stderr } = await template(
      'check',
      join(ROOT, 'templates/examples/gather-scan/notification.yaml'),
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^✓ gather-scan template notification is fine\n/);
    expect(stdout).toMatch(
      /after-run +notify: node notify-slack\.mjs \(up to 30 s, 5 attempts; a failure is a warning\)/,
    );
    expect(stdout).toMatch(/needs +SLACK_WEBHOOK_URL in ALLOWED_STEP_ENV of the worker/);
  });

  it('says it to programs too', async () => {
    const good = await template(
      'check',
      '--json',
      join(ROOT, 'templates/examples/build-push/corporate-ca.yaml'),
    );
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({
      ok: true,
      summary: { kind: 'build-push', name: 'corporate-ca', templateEnv: [], stepEnv: [] },
    });
    const bad = await template(
      'check',
      '--json',
      await file('build-push/x.yaml', 'engine: auto\nlabels: { a.b: "${env.X}", c.d: "${y}" }\nfils: []\n'),
    );
    expect([bad.code, bad.stderr]).toEqual([2, '']);
    expect(JSON.parse(bad.stdout)).toEqual({
      ok: false,
      faults: [
        { line: 2, message: expect.stringMatching(/^labels\.c\.d has the unknown variable "y"/) },
        { line: 3, message: 'unknown field "fils" (did you mean files?)' },
      ],
    });
  });

  it('is of bad use when the file is not there, has a name that no worker finds, or the kind is none', async () => {
    expect(await template('check', '/nonexistent.yaml')).toMatchObject({
      code: 2,
      stderr: '/nonexistent.yaml: there is no such file\n1 thing is wrong\n',
    });
    expect(await template('check', '--kind', 'x', 'y')).toMatchObject({ code: 2 });
  });
});

describe('image-factory template schema', () => {
  it.each(['gather-scan', 'build-push'])('prints what is published of %s', async (kind) => {
    const { code, stdout } = await template('schema', kind);
    expect([code, stdout]).toEqual([
      0,
      await readFile(join(ROOT, `docs/schema/${kind}-template.schema.json`), 'utf8'),
    ]);
  });

  it('prints one for both kinds when none is named', async () => {
    const { stdout } = await template('schema');
    expect(JSON.parse(stdout)).toMatchObject({ anyOf: [{ type: 'object' }, { type: 'object' }] });
  });
});
