import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { command } from './command.js';
import { incompressible } from './fleet.js';

const BYTES = 1e9;
const BARE_NODE = fileURLToPath(new URL('./bare-node.ts', import.meta.url));

/** Seconds of CPU (user and system) for 1 GB: what nobody who moves and checks bytes can do without. */
export interface BaselineCpu {
  /** SHA-256 by OpenSSL. */
  hash: number;
  /** `cat` that reads from one socket and writes to another. */
  cat: number;
  /** A Node program that receives, hashes and sends, and does nothing else. */
  bareNode: number;
}

/** Measures the floor that the worker is compared with. */
export async function baselineCpu(directory: string): Promise<BaselineCpu> {
  const file = join(directory, 'gigabyte');
  await writeFile(file, incompressible('gigabyte', BYTES));
  const hash = await cpuOf(directory, 'openssl dgst -sha256 "$1" >/dev/null', file);
  const giver = await listen((socket) => createReadStream(file, { highWaterMark: 1 << 20 }).pipe(socket));
  const taker = await listen((socket) => socket.resume());
  const cat = await cpuOf(
    directory,
    'cat <"/dev/tcp/127.0.0.1/$1" >"/dev/tcp/127.0.0.1/$2"',
    giver.port,
    taker.port,
  );
  const args = ['--import', 'tsx', BARE_NODE, giver.port, taker.port];
  const bareNode = Number(await command(process.execPath, args, { home: directory }));
  giver.close();
  taker.close();
  await rm(file);
  return { hash, cat, bareNode };
}

/** User and system time of a bash command, as bash itself reports it. */
async function cpuOf(home: string, script: string, ...args: string[]): Promise<number> {
  const timed = `TIMEFORMAT='cpu %U %S'; { time ${script}; } 2>&1`;
  const said = await command('bash', ['-c', timed, 'bash', ...args], { home });
  const [, user, system] = /cpu (\S+) (\S+)/.exec(said) ?? [];
  return Number(user) + Number(system);
}

async function listen(serve: (socket: Socket) => unknown) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return { port: `${port}`, close: () => server.close() };
}
