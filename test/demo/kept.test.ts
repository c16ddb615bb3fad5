import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { askKeptDemo, type KeptAction, offerActions } from '../../src/demo/kept.js';
import { temporaryDirectory } from '../support/directory.js';

const nothing = async () => [];

/** A user of their own, and a demo that they keep. */
async function keep(actions: Partial<Record<KeptAction, () => Promise<string[]>>> = {}, home?: string) {
  const env = { HOME: home ?? (await temporaryDirectory()) };
  const kept = await offerActions({ release: nothing, break: nothing, ...actions }, env);
  onTestFinished(() => kept.stop());
  return { env, kept, file: join(env.HOME, '.cache', 'harness-ci-image-factory', 'demo.json') };
}

describe('a demo that is kept', () => {
  it('does what another terminal of its user asks for, and answers with what to say', async () => {
    const { env } = await keep({ release: async () => ['released'], break: async () => ['broken'] });
    expect(await askKeptDemo('release', env)).toEqual(['released']);
    expect(await askKeptDemo('break', env)).toEqual(['broken']);
  });

  it('does one thing at a time, also after one that failed', async () => {
    const order: string[] = [];
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { env } = await keep({
      release: async () => {
        order.push('release begins');
        await gate;
        order.push('release ends');
        throw new Error('the registry is gone');
      },
      break: async () => {
        order.push('break');
        return [];
      },
    });
    const first = askKeptDemo('release', env);
    const second = askKeptDemo('break', env);
    open();
    await expect(first).rejects.toThrow('the registry is gone');
    await second;
    expect(order.indexOf('release ends')).toBe(order.indexOf('release begins') + 1);
    expect(order).toHaveLength(3);
  });

  it('listens to nobody who can’t read its file, which is its user’s alone', async () => {
    const { file } = await keep({ break: () => Promise.reject(new Error('must not be called')) });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const { address } = JSON.parse(await readFile(file, 'utf8'));
    for (const authorization of [undefined, 'Bearer guess']) {
      const { statusCode, body } = await request(`http://${address}/break`, {
        method: 'POST',
        headers: authorization === undefined ? {} : { authorization },
      });
      await body.dump();
      expect(statusCode).toBe(401);
    }
  });

  it('is not there before and after, and that is said in one sentence', async () => {
    const none = { message: expect.stringContaining('no demo is kept running') };
    await expect(askKeptDemo('release', { HOME: await temporaryDirectory() })).rejects.toMatchObject(none);
    const { env, kept } = await keep();
    await kept.stop();
    await expect(askKeptDemo('release', env)).rejects.toMatchObject(none);
  });

  it('that was killed leaves a file that misleads nobody', async () => {
    const { env, file, kept } = await keep();
    const left = await readFile(file);
    await kept.stop();
    await writeFile(file, left);
    await expect(askKeptDemo('break', env)).rejects.toThrow('no demo is kept running');
  });

  it('leaves the file of a later one alone when it ends', async () => {
    const earlier = await keep();
    await keep({ break: async () => ['later'] }, earlier.env.HOME);
    await earlier.kept.stop();
    expect(await askKeptDemo('break', earlier.env)).toEqual(['later']);
  });
});
