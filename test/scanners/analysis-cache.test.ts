import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debian } from '../../src/demo/fleet/packages.js';
import { AnalysisCache } from '../../src/scanners/analysis-cache.js';
import { serveAnalyses } from '../../src/scanners/analysis-server.js';
import { temporaryDirectory } from '../support/directory.js';
import { imageOf, startWorld, stepContext, type World } from './world.js';

const ZLIB = { name: 'zlib1g', source: 'zlib', version: '1:1.2.11.dfsg-2' };
const onBase = (base: string, name: string) =>
  imageOf(
    (arch) => [{ path: 'base', content: base }, ...debian('11.11', [ZLIB], arch)],
    (arch) => [{ path: name, content: `${name} ${arch}` }],
  );

describe('layers that images share', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  /** Trivy, and how often it has analysed a layer since. */
  async function countingTrivy(name: string) {
    const log = join(world.directory, `${name}.log`);
    const program = join(world.directory, name);
    await writeFile(program, `#!/bin/sh\nexec trivy --debug "$@" 2>>'${log}'\n`, { mode: 0o755 });
    const analysed = async (): Promise<string[]> =>
      (await readFile(log, 'utf8')).match(/Missing diff ID in cache.*/g) ?? [];
    return { program, analysed };
  }

  it('are analysed once, however many images are scanned at the same time, and never by the next worker', async () => {
    const { program, analysed } = await countingTrivy('trivy-counting');
    const scanner = world.scanner({ program });
    const images = ['a', 'b', 'c', 'd'].map((name) => onBase('shared', name));
    const tasks = await Promise.all(images.map((image) => world.task(image)));
    const verdicts = await Promise.all(tasks.map((task) => scanner.scan(task, stepContext())));
    expect(verdicts.map(({ decision }) => decision)).toEqual(['block', 'block', 'block', 'block']);
    const [base, own] = [2, 2]; // layers, one for each platform
    expect((await analysed()).length).toBe(base + 4 * own);
    const later = await world.task(onBase('shared', 'e'));
    expect((await world.scanner({ program }).scan(later, stepContext())).decision).toBe('block');
    expect((await analysed()).length).toBe(base + 5 * own);
  });

  it('are analysed again with another Java database', async () => {
    const { program, analysed } = await countingTrivy('trivy-java');
    await world.scanner({ program }).scan(await world.task(onBase('java', 'java a')), stepContext());
    const before = (await analysed()).length;
    await writeFile(
      join(world.cacheDir, 'java-db', 'metadata.json'),
      '{"Version":1,"UpdatedAt":"2026-11-02T00:00:00Z","NextUpdate":"2100-01-01T00:00:00Z","DownloadedAt":"2026-11-02T00:00:00Z"}',
    );
    await world.scanner({ program }).scan(await world.task(onBase('java', 'java b')), stepContext());
    expect((await analysed()).length).toBe(2 * before);
  });

  it('are analysed again where what is known of them was damaged', async () => {
    const scan = async (name: string) =>
      (await world.scanner().scan(await world.task(onBase('damaged', name)), stepContext())).decision;
    expect(await scan('a')).toBe('block');
    const directory = join(world.content.directory, 'analyses');
    const names = await readdir(directory, { recursive: true });
    for (const name of names.filter((one) => one.endsWith('.json')))
      await writeFile(join(directory, name), '{"SchemaVersion":2,"OS":');
    expect(await scan('b')).toBe('block');
  });
});

describe('the cache of analyses', () => {
  it('lets a second scan wait for the first one, and make what that one did not', async () => {
    const cache = new AnalysisCache(await temporaryDirectory());
    const [first, second, third] = [
      await cache.session('s'),
      await cache.session('s'),
      await cache.session('s'),
    ];
    expect(await first.get('base')).toBeUndefined();
    const waiting = second.get('base');
    await first.put('base', Buffer.from('found'));
    expect(String(await waiting)).toBe('found');
    expect(await first.get('own')).toBeUndefined();
    const inherited = third.get('own');
    await first.end();
    expect(await inherited).toBeUndefined();
  });

  it('leaves nothing to a scan that was cancelled while it waited', async () => {
    const cache = new AnalysisCache(await temporaryDirectory());
    const [first, cancelled, last] = [
      await cache.session('s'),
      await cache.session('s'),
      await cache.session('s'),
    ];
    await first.get('a');
    const waiting = cancelled.get('a');
    await cancelled.end();
    await first.end();
    expect(await Promise.all([waiting, last.get('a')])).toEqual([undefined, undefined]);
  });

  it('lets nobody wait who is waited for', async () => {
    const cache = new AnalysisCache(await temporaryDirectory());
    const [first, second] = [await cache.session('s'), await cache.session('s')];
    await first.get('a');
    await second.get('b');
    expect(await Promise.all([first.get('b'), second.get('a')])).toEqual([undefined, undefined]);
  });

  it('says nothing in another scope', async () => {
    const cache = new AnalysisCache(await temporaryDirectory());
    await (await cache.session('trivy 1')).put('a', Buffer.from('found'));
    expect(await (await cache.session('trivy 2')).get('a')).toBeUndefined();
  });
});

describe('the server of analyses', () => {
  async function serve() {
    const session = await new AnalysisCache(await temporaryDirectory()).session('s');
    await session.put('fanal::blob::a', Buffer.from('secret'));
    const server = await serveAnalyses(session);
    const { port, password } = new URL(server.url);
    const ask = async (...commands: string[][]): Promise<string> => {
      const socket = connect(Number(port), '127.0.0.1');
      const answers: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => answers.push(chunk));
      socket.on('error', () => {});
      for (const parts of commands)
        socket.write(`*${parts.length}\r\n${parts.map((one) => `$${one.length}\r\n${one}\r\n`).join('')}`);
      socket.end();
      await once(socket, 'close');
      return Buffer.concat(answers).toString();
    };
    return { server, password, ask };
  }
  const GET = ['GET', 'fanal::blob::a'];

  it('answers who has the password', async () => {
    const { server, password, ask } = await serve();
    expect(await ask(['AUTH', password], GET)).toBe('+OK\r\n$6\r\nsecret\r\n');
    await server.close();
  });

  it.each([
    ['no password', [GET]],
    ['a wrong one', [['AUTH', 'ff'.repeat(32)], GET]],
    ['an empty one', [['AUTH', ''], GET]],
    ['more than a stranger may send', [['AUTH', 'f'.repeat(5000)], GET]],
    ['a change to make', [['SET', 'fanal::blob::a', 'x'], GET]],
  ])('tells and changes nothing with %s', async (_, commands) => {
    const { server, password, ask } = await serve();
    expect(await ask(...commands)).not.toContain('secret');
    expect(await ask(['AUTH', password], GET)).toContain('secret');
    await server.close();
  });
});
