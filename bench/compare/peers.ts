import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { command } from './command.js';
import type { Programs } from './programs.js';

/** Whole commands at once, for every peer as for us. */
export const CONCURRENCY = 5;
/** What ours and theirs set, where they can. */
export const LABEL = { key: 'com.example.team', value: 'platform' };

/** One image by one peer: source and target are whole references on plain-HTTP registries. */
export interface Peer {
  name: string;
  /** Whether what `copy` makes is the source's, byte by byte. */
  exact: boolean;
  /** With labels, where it can. */
  mirror(source: string, target: string): Promise<unknown>;
  /** As it would be said every night; the same as `mirror` where it has no other word. */
  copy(source: string, target: string): Promise<unknown>;
  /**
   * Removes what it keeps of images, where it keeps anything: before its own run and not after it, where that would slow
   * down whoever comes next (`clear.ts`).
   */
  forget?(): Promise<unknown>;
}

const hostOf = (reference: string): string => reference.split('/', 1)[0] ?? '';

export function peersOf({ tools, skopeo, docker }: Programs, home: string): Peer[] {
  const regctl = (source: string, target: string, ...args: string[]): Promise<string> => {
    const hosts = [source, target].flatMap((one) => ['--host', `reg=${hostOf(one)},tls=disabled`]);
    return command(tools.regctl.path, [...hosts, 'image', ...args], { home });
  };
  const crane = (source: string, target: string): Promise<string> =>
    command(tools.crane.path, ['copy', source, target], { home });
  const peers: Peer[] = [
    {
      name: 'regctl',
      exact: true,
      mirror: (source, target) =>
        regctl(source, target, 'mod', source, '--create', target, '--label', `${LABEL.key}=${LABEL.value}`),
      copy: (source, target) => regctl(source, target, 'copy', source, target),
    },
    { name: 'crane', exact: true, mirror: crane, copy: crane },
  ];
  if (skopeo !== undefined) {
    const copy = (source: string, target: string): Promise<string> =>
      command(
        skopeo,
        [
          ...['copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'],
          ...[`docker://${source}`, `docker://${target}`],
        ],
        { home },
      );
    peers.push({ name: 'skopeo', exact: true, mirror: copy, copy });
  }
  if (docker !== undefined) {
    const forget = () => docker.ask('POST', '/images/prune?filters={"dangling":["false"]}');
    const loop = async (source: string, target: string): Promise<void> => {
      const env = { DOCKER_HOST: docker.host };
      const context = join(home, 'docker', source.replace(/\W/g, '-'));
      await mkdir(context, { recursive: true });
      await writeFile(join(context, 'Dockerfile'), `FROM ${source}\n`);
      await command('docker', ['pull', '--quiet', source], { home, env });
      const label = `${LABEL.key}=${LABEL.value}`;
      await command('docker', ['build', '--quiet', '--label', label, '--tag', target, context], {
        home,
        env,
      });
      await command('docker', ['push', '--quiet', target], { home, env });
    };
    peers.push({ name: 'docker loop (one platform)', exact: false, mirror: loop, copy: loop, forget });
  }
  return peers;
}

/** Runs one command for each image, as many at once as everyone has. */
export async function overFleet(
  images: readonly string[],
  one: (image: string) => Promise<unknown>,
): Promise<void> {
  await pLimit(CONCURRENCY).map(images, one);
}
