import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { checkTemplate } from '../../src/config/template-check.js';
import { temporaryDirectory } from '../support/directory.js';

const EXAMPLES = fileURLToPath(new URL('../../templates/examples', import.meta.url));

/** A file in a TEMPLATE_DIR of its own. */
async function file(path: string, text: string): Promise<string> {
  const whole = join(await temporaryDirectory(), path);
  await mkdir(join(whole, '..'), { recursive: true });
  await writeFile(whole, text);
  return whole;
}
const kindOf = async (text: string, kind?: 'build-push') => {
  const check = await checkTemplate(await file('here/mine.yaml', text), kind);
  return check.ok ? check.summary.kind : check.faults.join();
};

it('the kind of a template is told by its folder, by what is in it, or by what is said', async () => {
  expect(await checkTemplate(await file('build-push/mine.yaml', 'steps: []\n'))).toMatchObject({
    summary: { kind: 'build-push' },
  });
  expect(await kindOf('policy: {}\n')).toBe('gather-scan');
  expect(await kindOf('labels: {}\nsteps: []\n')).toBe('build-push');
  expect(await kindOf('steps: []\n', 'build-push')).toBe('build-push');
  expect(await kindOf('steps: []\n')).toMatch(/^which kind of template it is can’t be told: .* say --kind$/);
});

it('files that a template names are looked for where a worker would, beside the folder of its kind', async () => {
  const path = await file('build-push/mine.yaml', 'dockerfile: COPY a /a\nfiles: [{ from: a }]\n');
  expect(await checkTemplate(path)).toEqual({
    ok: false,
    faults: ['line 2: files[0].from is a, and TEMPLATE_DIR/files has no such file'],
  });
  await mkdir(join(path, '../../files'));
  await writeFile(join(path, '../../files/a'), '');
  expect(await checkTemplate(path)).toMatchObject({ ok: true });
});

it('a name that no worker would find is a fault', async () => {
  for (const name of ['Mine.yaml', 'mine.yml'])
    expect(await checkTemplate(await file(`build-push/${name}`, 'labels: {}\n'))).toEqual({
      ok: false,
      faults: [expect.stringMatching(/^its name is not <name>\.yaml/)],
    });
});

it('variables of the worker are listed, not asked for', async () => {
  const text =
    'labels: { a.b: "${env.TEAM}" }\nsteps: [{ name: a, at: after-run, command: "true", env: [B, A], args: ["${env.HOME_PAGE}"] }]\n';
  expect(await checkTemplate(await file('build-push/mine.yaml', text))).toMatchObject({
    summary: { templateEnv: ['HOME_PAGE', 'TEAM'], stepEnv: ['A', 'B'] },
  });
});

it('each of the examples is fine', async () => {
  for (const kind of ['gather-scan', 'build-push'])
    for (const name of await readdir(join(EXAMPLES, kind)))
      expect(await checkTemplate(join(EXAMPLES, kind, name)), name).toMatchObject({ ok: true });
});
