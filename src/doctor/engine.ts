import { Daemon } from '../engines/buildkit/daemon.js';
import { freeOnDisk } from '../engines/buildkit/disk.js';
import { spaceFinding } from './disk.js';
import { type Finding, fail, failure, ok, warn } from './finding.js';
import type { Situation } from './situation.js';

/** Whether a Docker Engine is there that can build, for which platforms, and whether it has room. */
export async function checkEngine(
  { environment: { docker }, buildPush }: Situation,
  signal: AbortSignal,
): Promise<Finding> {
  const daemon = new Daemon(docker);
  try {
    const { version, platforms } = await daemon.state(signal);
    const found = `Docker Engine ${version} builds for ${platforms.join(', ')}`;
    const free = await freeOnDisk(docker, await daemon.dataRoot(signal));
    if (free === undefined) return ok(found);
    const space = spaceFinding('its disk', free);
    if (space.status === 'ok') return ok(`${found}; ${space.found}`);
    const mend = 'make room there, for instance by docker builder prune';
    return (space.status === 'fail' ? fail : warn)(`${found}; ${space.found}`, mend);
  } catch (error) {
    const mend = 'start a Docker Engine, or set DOCKER_HOST to one';
    const finding = failure(error, mend);
    // It may be set for other programs: only builds need it.
    if (buildPush?.engine === 'buildkit' || finding.status === 'ok') return finding;
    return warn(finding.found, `${finding.mend}; the template builds nothing, so a run does without`);
  }
}
