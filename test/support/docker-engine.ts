import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { z } from 'zod';
import { runProgram } from '../../src/common/process.js';
import { serviceEnvironment } from '../../src/demo/services/environment.js';
import { freePort, startService } from '../../src/demo/services/service.js';
import type { Supervised } from '../../src/demo/services/supervised.js';
import type { Issued } from './tls.js';

/** Of one call to the engine's API; a build is not made through {@link DockerEngine.ask}. */
const CALL_MS = 60_000;

type Method = 'GET' | 'POST' | 'DELETE';

/** A Docker Engine of its own: nothing that it has or does meets another engine of this machine. */
export interface DockerEngine {
  /** For `dockerode` and the like. */
  socketPath: string;
  /** For `DOCKER_HOST`: by its socket. */
  host: string;
  /** By TCP and TLS, where it was asked for. */
  tcpHost: string | null;
  /** Where it keeps its images. */
  dataRoot: string;
  /** For `DOCKER_CONFIG`: an empty folder of clients' settings. */
  clientConfig: string;
  /** Of the engine, e.g. `20.10.24`. */
  version: string;
  /** One JSON call to the API, e.g. `GET /containers/json`. @throws Error with the engine's message. */
  ask(method: Method, path: string, body?: object): Promise<unknown>;
  /** Makes an image of one layer of a root file system: a tar, which may be gzipped. @param change as `ENV A=b`. */
  importImage(name: string, layer: Uint8Array, change?: string): Promise<void>;
  /** Pulls an image by its name and tag, from a registry of this machine. */
  pull(name: string): Promise<void>;
  /** Ends it at once, as a crash does, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again, on what it kept. */
  start(): Promise<void>;
  /** Removes its containers, ends it, and clears all that it kept. */
  stop(): Promise<void>;
}

export interface DockerEngineOptions {
  /** It listens on a free port of 127.0.0.1 too, in TLS that asks clients for a certificate of the same authority. */
  tls?: { authority: string; server: Issued };
  /** Its images and builds have a disk of their own, of so many megabytes. */
  diskMegabytes?: number;
}

/**
 * Starts `dockerd` from PATH (on Debian `apt-get install docker.io`; with its own containerd) as root, and waits until it
 * answers. Containers and builds have the host's network or none: rules and bridges would be this machine's, not a test's.
 */
export async function startDockerEngine(options: DockerEngineOptions = {}): Promise<DockerEngine> {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-docker-'));
  const socketPath = join(directory, 'docker.sock');
  const api = new Pool('http://docker', { connect: { socketPath }, headersTimeout: CALL_MS });
  const clear = async (): Promise<void> => {
    await api.destroy();
    await unmountBelow(directory);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const port = options.tls === undefined ? undefined : await freePort();
    const args = await settings(directory, socketPath, port, options);
    const run = (): Promise<Supervised> =>
      startService({
        name: 'dockerd (as root, on PATH; on Debian: apt-get install docker.io)',
        program: 'dockerd',
        args,
        env: serviceEnvironment({ PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin` }),
        probe: async (signal) => {
          const answer = await api.request({ method: 'GET', path: '/_ping', signal });
          await answer.body.dump();
          if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
        },
      });
    let server = await run();
    const ask: DockerEngine['ask'] = async (method, path, body) => {
      const text = await call(api, method, path, body);
      const said: unknown = text === '' ? undefined : JSON.parse(text);
      return said;
    };
    const create = async (query: URLSearchParams, layer?: Uint8Array): Promise<void> => {
      // Its answer is a stream of progress, whose status is 200 whatever happens.
      const said = await call(api, 'POST', `/images/create?${query}`, layer);
      if (said.includes('"error"')) throw new Error(`no image for ${query}: ${said}`);
    };
    const importImage: DockerEngine['importImage'] = async (name, layer, change) => {
      const query = new URLSearchParams({ fromSrc: '-', repo: name, tag: 'latest' });
      if (change !== undefined) query.set('changes', change);
      await create(query, layer);
    };
    const { Version: version } = z.object({ Version: z.string() }).parse(await ask('GET', '/version'));
    return {
      socketPath,
      host: `unix://${socketPath}`,
      tcpHost: port === undefined ? null : `tcp://127.0.0.1:${port}`,
      dataRoot: join(directory, 'data'),
      clientConfig: join(directory, 'client'),
      version,
      ask,
      importImage,
      pull: (name) => {
        const at = name.lastIndexOf(':');
        return create(new URLSearchParams({ fromImage: name.slice(0, at), tag: name.slice(at + 1) }));
      },
      kill: async () => {
        // Where its containerd lives on, the next engine would wait for it in vain.
        for (const file of [PID_FILE, CONTAINERD_PID_FILE]) {
          const pid = await readFile(join(directory, file), 'utf8').catch(() => undefined);
          if (pid !== undefined) killIfThere(Number(pid));
          await rm(join(directory, file), { force: true });
        }
        await server.exited;
      },
      start: async () => {
        server = await run();
      },
      stop: async () => {
        // Stopping them in its own time takes the engine longer than a supervisor waits. One that was killed has none.
        await removeAll(ask).catch(() => undefined);
        await server.stop();
        await clear();
      },
    };
  } catch (error) {
    await clear();
    throw error;
  }
}

const PID_FILE = 'dockerd.pid';
const CONTAINERD_PID_FILE = 'exec/containerd/containerd.pid';

async function settings(
  directory: string,
  socketPath: string,
  port: number | undefined,
  { tls, diskMegabytes }: DockerEngineOptions,
): Promise<string[]> {
  const config = join(directory, 'daemon.json');
  await writeFile(config, '{}'); // not the machine's
  for (const name of ['data', 'client']) await mkdir(join(directory, name));
  if (diskMegabytes !== undefined) await mountDisk(directory, diskMegabytes);
  const network = tls === undefined || port === undefined ? [] : await tlsSettings(directory, port, tls);
  return [
    ...['--config-file', config, '--host', `unix://${socketPath}`, ...network],
    ...['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')],
    ...['--pidfile', join(directory, PID_FILE)],
    // A containerd that the machine runs is used, so what we have in it needs names of our own.
    ...[
      '--containerd-namespace',
      'image-factory-test',
      '--containerd-plugins-namespace',
      'image-factory-test-p',
    ],
    ...['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--userland-proxy=false'],
    ...['--log-level', 'warn'],
  ];
}

async function tlsSettings(
  directory: string,
  port: number,
  { authority, server }: NonNullable<DockerEngineOptions['tls']>,
): Promise<string[]> {
  const files = { ca: authority, cert: server.certificate, key: server.key };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, `${name}.pem`), text);
  return [
    ...['--host', `tcp://127.0.0.1:${port}`, '--tlsverify'],
    ...['--tlscacert', join(directory, 'ca.pem'), '--tlscert', join(directory, 'cert.pem')],
    ...['--tlskey', join(directory, 'key.pem')],
  ];
}

/** A file system in a file, since memory as a disk can't carry an engine's layers. */
async function mountDisk(directory: string, megabytes: number): Promise<void> {
  const disk = join(directory, 'disk.img');
  const run = async (program: string, args: string[]): Promise<void> => {
    const env = serviceEnvironment({ PATH: `${process.env.PATH}:/usr/sbin:/sbin` });
    const { code, stderr } = await runProgram(program, args, { env, timeoutMs: 30_000 });
    if (code !== 0) throw new Error(`${program}: ${stderr}`);
  };
  await run('truncate', ['--size', `${megabytes}M`, disk]);
  await run('mkfs.ext4', ['-q', '-m', '0', disk]);
  await run('mount', ['-o', 'loop', disk, join(directory, 'data')]);
}

async function call(api: Pool, method: Method, path: string, body?: Uint8Array | object): Promise<string> {
  const raw = body instanceof Uint8Array;
  const answer = await api.request({
    method,
    path,
    headers: { 'content-type': raw ? 'application/x-tar' : 'application/json' },
    body: raw ? body : body && JSON.stringify(body),
    bodyTimeout: CALL_MS,
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 400) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
  return text;
}

/** What outlives an engine on the machine: containers' processes, and networks' bridges. */
async function removeAll(ask: DockerEngine['ask']): Promise<void> {
  const all = z.array(z.object({ Id: z.string() })).parse(await ask('GET', '/containers/json?all=true'));
  await Promise.all(all.map(({ Id }) => ask('DELETE', `/containers/${Id}?force=true&v=true`)));
  await ask('POST', '/networks/prune');
}

/** An engine leaves some of its mounts (a network namespace, its data root), and more when it was killed. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const below = mounts
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`));
  // The last mounted first: one may lie in another.
  for (const point of below.reverse())
    await runProgram('umount', ['--lazy', point], { env: serviceEnvironment(), timeoutMs: 30_000 });
}

/** Kills a process, unless it has gone with another one already. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
