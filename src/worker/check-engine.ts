import { messageOf } from '../common/errors.js';
import type { WorkerEnvironment } from '../config/environment.js';
import { Daemon } from '../engines/buildkit/daemon.js';
import { freeOnDisk } from '../engines/buildkit/disk.js';
import { log } from './log.js';

/** A worker waits no longer for the engine before it starts: builds wait for it by themselves. */
const CHECK_MS = 10_000;
const GIGABYTE = 1e9;

/**
 * Says at the worker's start what the Docker Engine is that `DOCKER_HOST` names. Without one a worker can do all but
 * build, so nothing that is found keeps it from starting.
 */
export async function checkEngine({ docker }: Pick<WorkerEnvironment, 'docker'>): Promise<void> {
  if (docker.host === null) return;
  const daemon = new Daemon(docker);
  const signal = AbortSignal.timeout(CHECK_MS);
  try {
    const { version, platforms } = await daemon.state(signal);
    const free = await freeOnDisk(docker, await daemon.dataRoot(signal));
    const disk = free === undefined ? {} : { freeGigabytes: Math.round(free / GIGABYTE) };
    log.info({ version, platforms, ...disk }, 'Docker Engine for builds');
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'no Docker Engine to build with');
  }
}
