import { spawnSync } from 'node:child_process';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withLock } from '../../src/demo/tools/lock.js';
import { temporaryDirectory } from './fake-tools.js';

/** A lock as another process would have left it. */
async function lockOf(owner: { host: string; pid: number }): Promise<string> {
  const lock = join(await temporaryDirectory(), 'crane.lock');
  await mkdir(lock);
  await writeFile(join(lock, 'owner.json'), JSON.stringify(owner));
  await writeFile(join(lock, 'half-built'), '');
  return lock;
}

const deadPid = (): number => spawnSync('true').pid;

describe('the lock of a tool', () => {
  it('lets one work at a time, and tells the other whom it waits for', async () => {
    const lock = join(await temporaryDirectory(), 'crane.lock');
    const order: string[] = [];
    let second: Promise<unknown> = Promise.resolve();
    await withLock(lock, async () => {
      order.push('first begins');
      const holder = await new Promise((onWait) => {
        second = withLock(lock, async () => order.push('second'), { onWait });
      });
      expect(holder).toBe(process.pid);
      order.push('first ends');
    });
    await second;
    expect(order).toEqual(['first begins', 'first ends', 'second']);
  });

  it('takes over from a process that is gone, and clears what it left', async () => {
    const lock = await lockOf({ host: hostname(), pid: deadPid() });
    expect(await withLock(lock, (scratch) => readdir(scratch))).toEqual(['owner.json']);
    expect(await readdir(join(lock, '..'))).toEqual([]);
  });

  it('takes over from another host or container only when that has shown no life for a minute', async () => {
    const lock = await lockOf({ host: 'elsewhere', pid: deadPid() });
    const cancel = new AbortController();
    const onWait = () => cancel.abort(new Error('waits'));
    await expect(withLock(lock, async () => 'mine', { onWait, signal: cancel.signal })).rejects.toThrow();
    const longAgo = new Date(Date.now() - 61_000);
    await utimes(lock, longAgo, longAgo);
    expect(await withLock(lock, async () => 'mine')).toBe('mine');
  });

  it('is free again after a failure', async () => {
    const lock = join(await temporaryDirectory(), 'crane.lock');
    await expect(withLock(lock, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withLock(lock, async () => 'yes')).toBe('yes');
  });
});
