import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadEnvironment } from '../../src/config/environment.js';
import { resolveRunConfig } from '../../src/config/resolve.js';
import { readTemplateFile } from '../../src/config/template-evidence.js';
import { loadBuildPush, loadGatherScan } from '../../src/config/templates.js';
import { digestOf } from '../../src/registry/digest.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';
import { settingsOf } from '../support/template-settings.js';

const now = new Date('2026-03-01T02:00:00Z');
const GATHER = `steps:
  - { name: tell, at: after-run, command: ./tell.sh, args: ["\${env.TEAM}", "\${event}"], files: [{ from: tell.sh }] }
scanners: [trivy, { name: own, command: own, args: ["\${layout}", "\${output}"] }]
`;
const BUILD = `labels: { com.example.team: "\${env.TEAM}", com.example.run: "\${run.id}" }
extraTags: ["mirrored-\${source.tag}"]
dockerfile: |
  COPY ca.crt /etc/
  RUN true
files: [{ from: ca.crt, path: ca.crt }]
buildArgs: { TEAM: "\${env.TEAM}" }
`;

/** A TEMPLATE_DIR with templates that use everything, and a worker with it. */
async function world(env: Record<string, string> = {}) {
  const directory = await temporaryDirectory();
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), text);
  };
  await write('gather-scan/mine.yaml', GATHER);
  await write('build-push/mine.yaml', BUILD);
  await write('files/tell.sh', '#!/bin/sh\n');
  await chmod(join(directory, 'files/tell.sh'), 0o755);
  await write('files/ca.crt', 'a certificate');
  const environment = loadEnvironment({
    HARNESS_API_KEY: 'pat.acme.tokenid.c4n4ry',
    TEMPLATE_DIR: directory,
    TEAM: 'platform',
    ALLOWED_TEMPLATE_ENV: 'TEAM',
    ...env,
  });
  const evidence = new FolderEvidenceStore(join(directory, 'evidence'));
  const input = { registry: 'r.example.com', gatherScanTemplate: 'mine', buildPushTemplate: 'mine' };
  const resolve = () => resolveRunConfig(input, environment, { now, evidence });
  return { directory, write, evidence, resolve, environment, input };
}

describe('what a run keeps of its templates', () => {
  it('is there for every worker, and an edit in mid-run changes none of it', async () => {
    const { directory, write, evidence, resolve } = await world();
    const { gatherScan, buildPush } = await resolve();
    await write('gather-scan/mine.yaml', 'sources: []\n');
    await write('files/ca.crt', 'another certificate');
    await rm(join(directory, 'files/tell.sh'));
    const read = async (ref: Parameters<typeof readTemplateFile>[1] | undefined): Promise<string> =>
      ref === undefined ? '' : String(await readTemplateFile(evidence, ref));
    expect(await read(gatherScan.text)).toBe(GATHER);
    expect(await read(buildPush.text)).toBe(BUILD);
    expect(await read(buildPush.buildkit?.dockerfile)).toBe('COPY ca.crt /etc/\nRUN true\n');
    expect(await read(buildPush.buildkit?.files[0]?.evidence)).toBe('a certificate');
    const [step] = gatherScan.steps ?? [];
    expect(step).toMatchObject({
      name: 'tell',
      args: ['platform', '${event}'],
      files: [{ path: 'tell.sh', executable: true }],
      timeoutSeconds: 120,
      attempts: 3,
      onFailure: 'fail',
    });
    expect(await read(step?.files[0]?.evidence)).toBe('#!/bin/sh\n');
  });

  it('lies under its hash, once for however many runs', async () => {
    const { evidence, resolve } = await world();
    await resolve();
    const keys = await evidence.list('templates/');
    expect(keys).toHaveLength(5);
    for (const key of keys)
      expect(`sha256:${key.slice('templates/'.length)}`).toBe(digestOf((await evidence.get(key)) ?? ''));
    await resolve();
    expect(await evidence.list('')).toEqual(keys);
  });

  it('is mended by the next run when it was damaged, and never taken for what it was', async () => {
    const { evidence, resolve } = await world();
    const { text } = (await resolve()).buildPush;
    if (text === undefined) throw new Error('the template has a text');
    await evidence.put(text.key, 'damaged');
    await expect(readTemplateFile(evidence, text)).rejects.toMatchObject({
      type: 'EvidenceUnavailable',
      message: expect.stringMatching(/is damaged/),
    });
    await resolve();
    expect(String(await readTemplateFile(evidence, text))).toBe(BUILD);
  });

  it('is not written when nothing will run', async () => {
    const { evidence, environment, input } = await world();
    await resolveRunConfig(input, environment, { now });
    expect(await evidence.list('')).toEqual([]);
  });

  it('is only the text of the built-in templates', async () => {
    const { evidence, environment } = await world();
    await resolveRunConfig({ registry: 'r.example.com' }, environment, { now, evidence });
    expect(await evidence.list('')).toHaveLength(2);
  });
});

describe('variables of the worker in a template', () => {
  it('are put in place when the run is resolved, and the others stay for each image', async () => {
    const { buildPush } = await (await world()).resolve();
    expect(buildPush.labels).toEqual({ 'com.example.team': 'platform', 'com.example.run': '${run.id}' });
    expect(buildPush.buildkit?.buildArgs).toEqual({ TEAM: 'platform' });
  });

  it.each([
    [
      'that it does not give',
      { ALLOWED_TEMPLATE_ENV: 'TEAMS,T' },
      /labels\.com\.example\.team has \$\{env\.TEAM\}, which is not given to templates by this worker: add it to ALLOWED_TEMPLATE_ENV/,
    ],
    ['that is empty of allowance by default', { ALLOWED_TEMPLATE_ENV: '' }, /is not given to templates/],
    [
      'that is a secret, though every name is allowed',
      { ALLOWED_TEMPLATE_ENV: '*', ALLOWED_SECRETS: 'env:TEAM' },
      /\$\{env\.TEAM\}, which is a secret of this worker: what a template is expanded with ends in the image/,
    ],
    [
      'whose value would be expanded again',
      { TEAM: 'a${run.id}b' },
      /can’t be used: its value has \$\{ in it/,
    ],
  ])('%s are refused, and their value is not shown', async (_, env, message) => {
    const failure = (await world(env)).resolve();
    await expect(failure).rejects.toMatchObject({ type: 'InvalidInput' });
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(/^(?!.*platform)(?!.*a\$\{run\.id\}b)/);
  });

  it.each([
    'HARNESS_API_KEY',
    'REGISTRY_PASSWORD',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'TEMPORAL_API_KEY',
    'TEMPORAL_ADDRESS',
  ])('%s is never given to templates, and to programs only by its name', async (name) => {
    const given = (env: NodeJS.ProcessEnv) =>
      loadEnvironment({ [name]: 'c4n4ry', REGISTRY_USER: '', ...env });
    const login = name === 'REGISTRY_PASSWORD' ? { REGISTRY_USER: 'u', REGISTRY: 'r.example.com' } : {};
    const every = given({ ALLOWED_TEMPLATE_ENV: `*,${name}`, ALLOWED_STEP_ENV: '*', ...login });
    expect(every.templateVariable(name)).toEqual({ fault: expect.stringMatching(/is a secret/) });
    expect(every.stepVariableFault(name)).toMatch(/name it literally in ALLOWED_STEP_ENV/);
    expect(given({ ALLOWED_STEP_ENV: `A,${name}`, ...login }).stepVariableFault(name)).toBeUndefined();
  });

  it('are given to programs by name or pattern, and none by default', () => {
    const fault = (ALLOWED_STEP_ENV: string, name: string) =>
      loadEnvironment({ ALLOWED_STEP_ENV }).stepVariableFault(name);
    expect(fault('SLACK_*,X', 'SLACK_WEBHOOK_URL')).toBeUndefined();
    expect(fault('SLACK_*,X', 'MY_SLACK_URL')).toMatch(/add it to ALLOWED_STEP_ENV/);
    expect(fault('', 'X')).toMatch(/is not given to programs of templates/);
  });

  it('are lists of names, and nothing else', () => {
    expect(() => loadEnvironment({ ALLOWED_STEP_ENV: 'A,b c' })).toThrow(
      /ALLOWED_STEP_ENV entry 2 is not the name of a variable/,
    );
  });
});

describe('digests of templates', () => {
  const load = async (
    text: string,
    files: Record<string, string> = {},
    variables: Record<string, string> = {},
  ) => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'build-push'));
    await mkdir(join(directory, 'files'));
    await writeFile(join(directory, 'build-push/mine.yaml'), text);
    for (const [name, content] of Object.entries(files))
      await writeFile(join(directory, 'files', name), content);
    const loaded = await loadBuildPush('mine', settingsOf(directory, variables), undefined);
    if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
    return { ...loaded.value, directory };
  };
  const digest = async (...args: Parameters<typeof load>): Promise<string> =>
    (await load(...args)).templateDigest;

  // Made by the version before there was anything else than this in templates: a change would make every copy anew.
  it('are those of before for templates that use nothing new', async () => {
    const gather = await loadGatherScan('default', settingsOf(null), '2026-03-01');
    expect(gather).toMatchObject({
      value: {
        digest: 'sha256:94b4d781bf370c4653abcb1fd5de947c8022bda4e04e794b16c4bae76367a17c',
        policyDigest: 'sha256:1399d3054c312bf89111101b378fb4ecea31cca8eb5c2998c768842eaf376a93',
      },
    });
    expect(await loadBuildPush('default', settingsOf(null), undefined)).toMatchObject({
      value: { templateDigest: 'sha256:053cbf5925eae4098cb09f6a127d5ddd5625a305557e247c542de9f1d391daec' },
    });
    expect(
      await digest(
        'labels: {com.example.team: platform, com.example.price: "$5"}\nannotations: {com.example.note: kept}\nplatforms: [linux/arm64, linux/amd64]\n',
      ),
    ).toBe('sha256:027b88c1f5c4d76913f4d4d4fe216f778c164bce846b9141d9b51ab0f19b2704');
  });

  it('cover what is built, and not what only tells of it', async () => {
    const text = 'dockerfile: |\n  COPY a b /\nfiles: [{ from: a }, { from: b }]\n';
    const files = { a: '1', b: '2' };
    const plain = await digest(text, files);
    const same = [
      `# a comment\n${text}`,
      'engine: buildkit\nfiles: [{ from: b }, { path: a, from: a }]\ndockerfile: |\n  COPY a b /\n',
      `${text}steps: [{ name: a, at: after-push, command: "true" }]\n`,
    ];
    for (const other of same) expect(await digest(other, files), other).toBe(plain);
    const different = [
      text.replace('a b', 'b a'),
      text.replace('{ from: b }', '{ from: b, path: c }'),
      `${text}network: host\n`,
      `${text}onUnbuildablePlatform: skip\n`,
      `${text}buildArgs: { A: b }\n`,
      `${text}extraTags: [x]\n`,
    ];
    const digests = await Promise.all(different.map((other) => digest(other, files)));
    expect(new Set([plain, ...digests])).toHaveProperty('size', different.length + 1);
    expect(await digest(text, { ...files, b: '3' })).not.toBe(plain);
  });

  it('change with the worker’s variables, and not from run to run', async () => {
    const text = 'labels: { a.b: "${env.TEAM} ${run.id}" }\n';
    expect(await digest(text, {}, { TEAM: 'a' })).not.toBe(await digest(text, {}, { TEAM: 'b' }));
    expect((await load(text, {}, { TEAM: 'a' })).labels).toEqual({ 'a.b': 'a ${run.id}' });
  });

  it('of a policy change with the scanners beside Trivy, but not with how long they may take', async () => {
    const policy = async (scanner: string): Promise<string> => {
      const directory = await temporaryDirectory();
      await mkdir(join(directory, 'gather-scan'));
      await writeFile(
        join(directory, 'gather-scan/mine.yaml'),
        `scanners: [trivy, { name: own, args: ["\${layout}", "\${output}"], ${scanner} }]\n`,
      );
      const loaded = await loadGatherScan('mine', settingsOf(directory), '2026-03-01');
      return loaded.ok ? loaded.value.policyDigest : loaded.faults.join();
    };
    const own = await policy('command: own');
    expect(await policy('command: own, timeout: 1m')).toBe(own);
    expect(await policy('command: other')).not.toBe(own);
  });
});
