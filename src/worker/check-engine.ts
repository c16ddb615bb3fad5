import { messageOf } from '../common/errors.js';
import type { WorkerEnvironment } from '../config/environment.js';
import { Daemon } from '../engines/buildkit/daemon.js';
import { freeOnDisk } from '../engines/buildkit/disk.js';
import { sweepEngine } from '../engines/buildkit/housekeeping.js';
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
    void removeLeftovers(daemon); // the worker need not wait for it
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'no Docker Engine to build with');
  }
}

/** What a worker left that was killed, and whose runs have ended since on other ones. */
async function removeLeftovers(daemon: Daemon): Promise<void> {
  try {
    const removed = await sweepEngine(daemon, new AbortController().signal);
    if (removed > 0) log.info({ removed }, 'removed from the Docker Engine: images of builds that are dead');
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'what dead builds left on the Docker Engine could not be removed');
  }
}
