import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { parseDigest } from '../../src/registry/digest.js';
import { parseReference } from '../../src/registry/reference.js';
import { startCountingProxy } from './counting-proxy.js';

const CHILD = fileURLToPath(new URL('./transfer-child.ts', import.meta.url));
const BLOCK_BYTES = 1024 * 1024;

export interface KilledTransfer {
  /** Bytes of the blob. */
  size: number;
  /** Bytes on the wire at the registries' side, over all attempts, headers included. */
  downloaded: number;
  uploaded: number;
  /** What the target says that it has. */
  arrived: number | undefined;
  /** Bytes in the worker's content store at the end, leftovers included. */
  stored: number;
}

/**
 * Copies a blob of `mebibytes` from one registry to another by a process that is killed (SIGKILL) half-way in the
 * download, started again, killed when three quarters are uploaded, and started a third time.
 */
export async function killedTransfer(options: {
  source: string;
  target: string;
  directory: string;
  mebibytes: number;
  /** Through the worker's content store, or past it. */
  way: 'kept' | 'passed';
}): Promise<KilledTransfer> {
  const { mebibytes, directory, way } = options;
  const size = mebibytes * BLOCK_BYTES;
  const block = randomBytes(BLOCK_BYTES);
  function* blocks(from: number, bytes: number): Generator<Buffer> {
    for (let number = from / BLOCK_BYTES; number < (from + bytes) / BLOCK_BYTES; number++) {
      const one = Buffer.from(block);
      one.writeUInt32BE(number); // no two are alike, so that a wrong place shows
      yield one;
    }
  }
  const hash = createHash('sha256');
  for (const one of blocks(0, size)) hash.update(one);
  const digest = parseDigest(`sha256:${hash.digest('hex')}`);
  const blob = { mediaType: 'application/octet-stream', digest, size };
  const client = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  const open = (part = { from: 0, length: size }): Readable =>
    Readable.from(blocks(part.from, part.length), { objectMode: false });
  await client.ensureBlob(parseReference(`${options.source}/large`), blob, open, {});

  const source = await startCountingProxy(options.source);
  const target = await startCountingProxy(options.target);
  const run = (): { kill: () => Promise<void>; end: Promise<unknown[]> } => {
    const names = [`${source.host}/large`, `${target.host}/copy`];
    const args = ['--import', 'tsx', CHILD, join(directory, 'content'), ...names, digest, String(size), way];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const end = once(child, 'close');
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL');
      const [, signal] = await end;
      if (signal !== 'SIGKILL') throw new Error('the transfer ended before it was killed');
    };
    return { kill, end };
  };
  try {
    const first = run();
    await source.passed('fromServer', size / 2);
    await first.kill();
    const second = run();
    await target.passed('toServer', (size * 3) / 4);
    await second.kill();
    const [code] = await run().end;
    if (code !== 0) throw new Error(`the last attempt ended with ${code}`);
    const arrived = await client.headBlob(parseReference(`${options.target}/copy`), digest);
    const stored = await bytesIn(join(directory, 'content'));
    return { size, downloaded: source.fromServer(), uploaded: target.toServer(), arrived, stored };
  } finally {
    await Promise.all([client.close(), source.stop(), target.stop()]);
    await rm(join(directory, 'content'), { recursive: true, force: true });
  }
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
