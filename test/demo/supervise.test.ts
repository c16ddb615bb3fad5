import { spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { access, mkdir } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Supervised, supervise } from '../../src/demo/services/supervised.js';
import { supervisedRun } from '../../src/demo/services/supervised-run.js';
import { temporaryDirectory } from './fake-tools.js';

const PARENT = fileURLToPath(new URL('./lifeline-parent.ts', import.meta.url));
const env = { PATH: process.env.PATH ?? '' };

/** Starts a parent whose supervised program and that program's child are both connected to us. */
async function family(options: { stubborn?: boolean } = {}) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const connections = on(server, 'connection'); // both may come at once: none is lost
  const directory = join(await temporaryDirectory(), 'storage');
  await mkdir(directory);
  // An address with a port, as it listens on TCP.
  const port = String((server.address() as AddressInfo).port);
  const args = ['--import', 'tsx', PARENT, port, directory, options.stubborn ? 'stubborn' : ''];
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const members = [await member(connections), await member(connections)];
  return { parent, directory, members };
}

async function member(connections: ReturnType<typeof on>) {
  const [socket]: Socket[] = (await connections.next()).value;
  if (socket === undefined) throw new Error('a connection has a socket');
  socket.on('error', () => {}); // a killed peer may reset
  const ended = new Promise((resolve) => socket.once('close', resolve));
  const [pids] = await once(socket, 'data');
  const [pid = 0, parent = 0] = String(pids).split(' ').map(Number);
  return { pid, parent, ended };
}

const isGone = (path: string): Promise<boolean> =>
  access(path).then(
    () => false,
    () => true,
  );

describe('a supervised program', () => {
  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'ends, with its children and its directory, when its parent gets %s',
    async (signal) => {
      const { parent, directory, members } = await family();
      parent.kill(signal);
      await Promise.all(members.map(({ ended }) => ended));
      await vi.waitFor(async () => expect(await isGone(directory)).toBe(true));
    },
  );

  it('ends even if it ignores SIGTERM', async () => {
    const { parent, members } = await family({ stubborn: true });
    parent.kill('SIGKILL');
    await Promise.all(members.map(({ ended }) => ended));
  });

  it('ends when its supervisor is killed', async () => {
    const { members } = await family();
    const [first] = members;
    process.kill(first?.parent ?? 0, 'SIGKILL');
    await Promise.all(members.map(({ ended }) => ended));
  });

  it('ends by stop, in order, and its last lines are kept', async () => {
    const script = "trap 'echo ended in order; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let running: Supervised | undefined;
    await new Promise<string>((log) => {
      running = supervise('sh', ['-c', script], { env, log });
    });
    await running?.stop();
    expect(running?.tail()).toBe('ready\nended in order');
  });

  it('tells why it could not be started', async () => {
    const running = supervise('no-such-program', [], { env });
    expect(await running.exited).toBe(127);
    expect(running.tail()).toContain('no-such-program');
  });
});

describe('a supervised run', () => {
  it('fails with what the program printed last', async () => {
    const run = supervisedRun('sh', ['-c', 'echo cannot find module >&2; exit 1'], {
      env,
      timeoutMs: 10_000,
    });
    await expect(run).rejects.toThrow(/failed: cannot find module/);
  });

  it('ends when its time is over', async () => {
    const run = supervisedRun('sleep', ['600'], { env, timeoutMs: 100 });
    await expect(run).rejects.toThrow('sleep 600 took longer than 0.1 s');
  });
});
