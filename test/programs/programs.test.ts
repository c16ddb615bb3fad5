import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WorkerPrograms } from '../../src/programs/worker-programs.js';
import { temporaryDirectory } from '../support/directory.js';
import { isRunning } from '../support/running.js';
import { openPrograms, program, script } from './world.js';

const PARENT = fileURLToPath(new URL('./programs-parent.ts', import.meta.url));

describe('a program of a template', () => {
  it('gets its arguments as they are, with variables in place and nothing for a shell to read', async () => {
    const { run } = await openPrograms();
    const odd = ['$(echo x)', '; exit 3', '* | "quoted" \'too\'', '', '`id`', '&& true'];
    const end = await run(
      script('console.log(JSON.stringify(process.argv.slice(1)))', { args: [...odd, '${run.id}/$${x}'] }),
      {
        variables: { 'run.id': 'r; echo y' },
      },
    );
    expect(end.code).toBe(0);
    expect(JSON.parse(end.output)).toEqual([...odd, 'r; echo y/${x}']);
  });

  it('is never a command of the shell that holds its lifeline', async () => {
    const { run } = await openPrograms();
    for (const command of ['eval', 'exit', 'set'])
      await expect(run(program({ command, args: ['echo', 'hello'] }))).rejects.toMatchObject({
        type: 'StepFailed',
        message: `${command}: there is no program of that name on the PATH of this worker: install it there`,
      });
  });

  it('sees no variable of the worker but those that it names and that are allowed', async () => {
    const { run } = await openPrograms({
      LANG: 'C',
      SECRET: 'x',
      WANTED: 'yes',
      UNSET: '',
      ALLOWED_STEP_ENV: 'WANTED,ABSENT',
    });
    const end = await run(script('console.log(JSON.stringify(process.env))', { env: ['WANTED', 'ABSENT'] }), {
      variables: { 'run.id': 'r1', 'source.digest': 'sha256:0' },
    });
    const env = JSON.parse(end.output);
    expect(
      Object.keys(env)
        .filter((name) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name))
        .sort(),
    ).toEqual(['PATH', 'LANG', 'HOME', 'TMPDIR', 'FACTORY_RUN_ID', 'FACTORY_SOURCE_DIGEST', 'WANTED'].sort());
    expect(env.FACTORY_RUN_ID).toBe('r1');
  });

  it('is not run at all with a variable that this worker does not give', async () => {
    const { run, places } = await openPrograms({ SECRET: 'x' });
    await expect(run(script('', { env: ['SECRET'] }))).rejects.toMatchObject({
      type: 'NotAllowed',
      message: expect.stringMatching(/^node shall have the variable SECRET, which is not given to programs/),
    });
    expect(await readdir(places).catch(() => [])).toEqual([]);
  });

  it('prints none of the secrets that it was given, nor the worker’s own', async () => {
    const { run } = await openPrograms({
      HOOK: 'https://hooks.example.com/T0/c4n4ry-hook',
      HARNESS_API_KEY: 'pat.acme.id.c4n4ry-key',
      AWS_SECRET_ACCESS_KEY: 'c4n4ry-aws',
      ALLOWED_STEP_ENV: 'HOOK',
    });
    const text =
      'console.log(process.env.HOOK, "pat.acme.id.c4n4ry-key"); console.error("c4n4ry-aws", JSON.stringify(process.env.HOOK))';
    const { output } = await run(script(text, { env: ['HOOK'] }));
    expect(output).toBe('*** ***\n*** "***"\n');
  });

  it('keeps the order of what it prints on both streams', async () => {
    const { run } = await openPrograms();
    const { output } = await run(
      program({ command: 'sh', args: ['-c', 'for n in 1 2 3; do echo out $n; echo err $n >&2; done'] }),
    );
    expect(output).toBe('out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n');
  });

  it('may print as much as it likes', async () => {
    const { run } = await openPrograms();
    const { output, code } = await run(
      program({ command: 'sh', args: ['-c', 'yes | head -c 300000000; echo end'] }),
    );
    expect(code).toBe(0);
    expect(output.length).toBeLessThan(70_000);
    expect(output.endsWith('y\nend\n')).toBe(true);
  });

  it('ends with its own code, or by a signal', async () => {
    const { run } = await openPrograms();
    expect((await run(script('process.exit(7)'))).code).toBe(7);
    expect([null, 137]).toContain((await run(program({ command: 'sh', args: ['-c', 'kill -9 $$'] }))).code);
  });

  it('is ended with all that it started when it takes too long, and what it said last is told', async () => {
    const { run, directory } = await openPrograms();
    const file = join(directory, 'pids');
    const failure = run(
      program({
        command: 'sh',
        args: ['-c', 'sleep 1000 & echo $$ $! > "$0"; echo waiting for the world; wait', file],
        timeoutSeconds: 5,
      }),
    );
    await expect(failure).rejects.toMatchObject({
      type: 'StepFailed',
      message: 'sh: it took longer than 5 s and was ended; it said last: waiting for the world',
      output: 'waiting for the world\n',
    });
    const pids = (await readFile(file, 'utf8')).trim().split(' ').map(Number);
    expect(pids).toHaveLength(2);
    for (const pid of pids) await expect.poll(() => isRunning(pid)).toBe(false);
  });

  it('is ended when its step is cancelled, with the reason of the cancel', async () => {
    const { run, places } = await openPrograms();
    const cancel = new AbortController();
    const running = run(program({ command: 'sleep', args: ['1000'] }), {}, cancel.signal);
    await expect.poll(() => readdir(places).catch(() => [])).toHaveLength(1);
    cancel.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    expect(await readdir(places)).toEqual([]);
  });

  it('is gone, with its children, when the worker is killed, and its directory is removed by the next one', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'pids');
    const parent = spawn(process.execPath, ['--import', 'tsx', PARENT, directory, file], {
      stdio: 'inherit',
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    await expect.poll(() => readFile(file, 'utf8').catch(() => ''), { timeout: 20_000 }).not.toBe('');
    const pids = (await readFile(file, 'utf8')).trim().split(' ').map(Number);
    expect(await Promise.all(pids.map(isRunning))).toEqual([true, true]);
    parent.kill('SIGKILL');
    await expect.poll(() => Promise.all(pids.map(isRunning)), { timeout: 20_000 }).toEqual([false, false]);
    const places = join(directory, 'programs');
    expect(await readdir(places)).toHaveLength(1);
    const { environment, evidence } = await openPrograms();
    await expect
      .poll(async () => {
        await WorkerPrograms.open({ directory: places, environment, evidence });
        return readdir(places);
      })
      .toEqual([]);
  });
});

describe('the place of a program', () => {
  it('is its own: home, temporary files and what it works on, for nobody else to see, and gone afterwards', async () => {
    const { run, places } = await openPrograms();
    const text =
      'const fs = require("fs"); fs.writeFileSync(process.env.HOME + "/a", ""); fs.writeFileSync(require("os").tmpdir() + "/b", "");' +
      'console.log(JSON.stringify([process.cwd(), process.env.HOME, (fs.statSync("..").mode & 0o777).toString(8), fs.readdirSync(".")]))';
    const { output } = await run(script(text));
    const [cwd, home, mode, names] = JSON.parse(output);
    expect([cwd.startsWith(places), home.startsWith(places), mode, names]).toEqual([true, true, '700', []]);
    expect(await readdir(places)).toEqual([]);
  });

  it('has the files of the program and what it is told, each by a variable', async () => {
    const { run, evidence } = await openPrograms();
    const put = async (path: string, text: string, executable = false) => ({
      path,
      evidence: await evidence.put(`templates/${path}`, text),
      executable,
    });
    const files = [
      await put(
        'tools/hello',
        '#!/bin/sh\ncat "$1" data.txt; test ! -x data.txt && echo not executable; echo "$FACTORY_EVENT" | sed "s#.*/work/##"',
        true,
      ),
      await put('data.txt', 'data\n'),
    ];
    const end = await run(program({ command: './tools/hello', args: ['${event}'], files }), {
      inputs: { event: { path: '.factory/event.json', bytes: Buffer.from('{"at":"after-run"}\n') } },
    });
    expect(end).toMatchObject({
      code: 0,
      output: '{"at":"after-run"}\ndata\nnot executable\n.factory/event.json\n',
    });
  });

  it('has no file that is not what it was when the run was resolved', async () => {
    const { run, evidence } = await openPrograms();
    const ref = await evidence.put('templates/x', 'echo good');
    await evidence.put('templates/x', 'echo evil');
    const files = [{ path: 'x', evidence: ref, executable: true }];
    await expect(run(program({ command: './x', files }))).rejects.toMatchObject({
      type: 'EvidenceUnavailable',
      message: expect.stringMatching(/^templates\/x, a file of a template, is damaged/),
    });
  });

  it.each(['../x', '/tmp/x', 'a/../../x'])('lets no file lie elsewhere: %s', async (path) => {
    const { run, evidence } = await openPrograms();
    const files = [{ path, evidence: await evidence.put('templates/x', 'x'), executable: false }];
    await expect(run(program({ command: 'true', files }))).rejects.toMatchObject({ type: 'StepFailed' });
  });

  it('is left alone as long as its worker lives', async () => {
    const { run, places, environment, evidence } = await openPrograms();
    const cancel = new AbortController();
    const running = run(program({ command: 'sleep', args: ['1000'] }), {}, cancel.signal);
    await expect.poll(() => readdir(places).catch(() => [])).toHaveLength(1);
    await mkdir(join(places, 'other-host.1.0'));
    await writeFile(join(places, 'other-host.1.0/x'), '');
    const old = new Date(Date.now() - 3 * 60 * 60_000);
    await utimes(join(places, 'other-host.1.0'), old, old);
    await WorkerPrograms.open({ directory: places, environment, evidence });
    expect(await readdir(places)).toHaveLength(1);
    cancel.abort();
    await expect(running).rejects.toThrow();
  });
});

describe('what a program writes', () => {
  const write = (text: string) =>
    script(`const fs = require('fs'); const out = process.argv[1]; ${text}`, { args: ['${output}'] });
  const result = { path: 'results/out.sarif', maxBytes: 1000 };

  it('is read back', async () => {
    const { run } = await openPrograms();
    expect(String((await run(write('fs.writeFileSync(out, "{}")'), { result })).result)).toBe('{}');
  });

  it('is nothing when it writes nothing', async () => {
    const { run } = await openPrograms();
    expect(await run(write(''), { result })).not.toHaveProperty('result');
    expect(await run(write('fs.writeFileSync(out, "")'), { result })).not.toHaveProperty('result');
  });

  it.each([
    ['too large', 'fs.writeFileSync(out, "x".repeat(1001))', /its result has 1001 bytes, and may have 1000$/],
    [
      'a link to something else',
      'fs.symlinkSync("/etc/hostname", out)',
      /its result can't be read \(ELOOP\)$/,
    ],
    [
      'a pipe that nobody writes to',
      'require("child_process").execFileSync("mkfifo", [out])',
      /its result is not a file$/,
    ],
    ['a folder', 'fs.mkdirSync(out)', /its result is not a file$/],
  ])('is refused when it is %s', async (_, text, message) => {
    const { run } = await openPrograms();
    await expect(run(write(text), { result })).rejects.toMatchObject({
      type: 'StepFailed',
      message: expect.stringMatching(message),
    });
  });
});

it('a program that a worker lacks is named, with what to do', async () => {
  const { run } = await openPrograms();
  await expect(run(program({ command: 'no-such-program' }))).rejects.toThrow(
    /^no-such-program: there is no program of that name on the PATH of this worker: install it there$/,
  );
  await expect(run(program({ command: '/opt/none' }))).rejects.toThrow(
    /^\/opt\/none: there is no such program on this worker, or it may not be run$/,
  );
  expect((await stat('/bin/sh')).isFile()).toBe(true);
});
