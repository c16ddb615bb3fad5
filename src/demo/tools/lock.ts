import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

const OWNER = z.object({ host: z.string(), pid: z.number().int().positive() });
const TOUCH_EVERY_MS = 5000;
const STALE_AFTER_MS = 60_000;
const LOOK_EVERY_MS = 250;
/** So long an owner may take between making the directory and saying who it is, before it counts as one unknown. */
const NAMELESS_MS = 1000;

export interface LockOptions {
  /** Called once with the holder's pid, when another live process has the lock. */
  onWait?: (pid?: number) => void;
  signal?: AbortSignal;
}

/**
 * Runs `work` while no other process does so for the same directory. The lock is the directory itself, and what `work`
 * leaves in it goes away with it, so a build that was killed leaves nothing once the next one has taken over.
 *
 * It only saves double work: what is built is published by an atomic rename, so two owners (possible in the moment of a
 * takeover) do no harm.
 *
 * @param directory made for the lock; its parent must exist
 */
export async function withLock<T>(
  directory: string,
  work: (scratch: string) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  await acquire(directory, options);
  // A pid says nothing across containers that share a cache, so the owner also shows that it lives.
  const alive = setInterval(() => {
    const now = new Date();
    utimes(directory, now, now).catch(() => {});
  }, TOUCH_EVERY_MS);
  try {
    return await work(directory);
  } finally {
    clearInterval(alive);
    await rm(directory, { recursive: true, force: true });
  }
}

async function acquire(directory: string, options: LockOptions): Promise<void> {
  const began = performance.now();
  for (let told = false; ; ) {
    options.signal?.throwIfAborted();
    try {
      await mkdir(directory);
      await writeFile(ownerFile(directory), JSON.stringify({ host: hostname(), pid: process.pid }));
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const holder = await holderOf(directory);
    if (holder.state === 'gone') continue;
    if (holder.state === 'stale') {
      await discard(directory);
      continue;
    }
    if (holder.pid === undefined && !told && performance.now() - began < NAMELESS_MS) {
      await delay(10, undefined, { signal: options.signal });
      continue;
    }
    if (!told) options.onWait?.(holder.pid);
    told = true;
    // There is no event for a directory's end that works on every file system.
    await delay(LOOK_EVERY_MS, undefined, { signal: options.signal });
  }
}

interface Holder {
  state: 'gone' | 'stale' | 'alive';
  pid?: number;
}

async function holderOf(directory: string): Promise<Holder> {
  const touched = await stat(directory).then(
    (found) => found.mtimeMs,
    () => undefined,
  );
  if (touched === undefined) return { state: 'gone' };
  if (Date.now() - touched > STALE_AFTER_MS) return { state: 'stale' };
  const text = await readFile(ownerFile(directory), 'utf8').catch(() => '');
  const owner = OWNER.safeParse(parse(text)).data; // none yet, between its two steps
  if (owner?.host === hostname() && !isAlive(owner.pid)) return { state: 'stale' };
  return { state: 'alive', pid: owner?.pid };
}

/** Takes the directory away in one step, so that of two that find it stale only one removes it. */
async function discard(directory: string): Promise<void> {
  const aside = `${directory}.${randomUUID()}`;
  try {
    await rename(directory, aside);
  } catch {
    return; // another was quicker
  }
  await rm(aside, { recursive: true, force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const ownerFile = (directory: string): string => join(directory, 'owner.json');
