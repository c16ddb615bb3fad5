import { messageOf } from '../../src/common/errors.js';
import { TOOLS } from '../../src/demo/tools/catalog.js';
import { versionOf } from '../../src/demo/tools/lookup.js';
import { ensureTools, type Tool, type ToolName } from '../../src/demo/tools.js';
import { type DockerEngine, startDockerEngine } from '../../test/support/docker-engine.js';
import { command } from './command.js';

const NAMES = ['temporal', 'registry', 'trivy', 'crane', 'regctl'] as const satisfies ToolName[];

export interface Programs {
  tools: Record<(typeof NAMES)[number], Tool>;
  /** Undefined where it is not installed: Debian has it, and it is not to be built without C libraries. */
  skopeo: string | undefined;
  /** Undefined where no engine can be started: it needs root and `dockerd` on PATH. */
  docker: DockerEngine | undefined;
  /** Name → version, of all that was measured. */
  versions: Record<string, string>;
  /** Why a peer is not there, for the result. */
  absent: string[];
}

/** Finds or fetches everything that is measured; what can't be had is said, and its columns stay empty. */
export async function preparePrograms(home: string, log: (line: string) => void): Promise<Programs> {
  const report = ({ tool, what, elapsedMs }: { tool: string; what: string; elapsedMs: number }): void => {
    if (elapsedMs > 0) log(`${tool}: ${what}`);
  };
  const tools = await ensureTools(NAMES, { report });
  const versions: Record<string, string> = {};
  for (const { name, path } of Object.values(tools))
    versions[name] = (await versionOf(TOOLS[name], path, process.env)) ?? 'unknown';
  const absent: string[] = [];
  const optional = async <T>(name: string, hint: string, get: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await get();
    } catch (error) {
      absent.push(`${name} was not measured (${hint}): ${messageOf(error).split('\n')[0]}`);
      return undefined;
    }
  };
  const skopeo = await optional('skopeo', 'on Debian: apt-get install skopeo', async () => {
    versions.skopeo = (await command('skopeo', ['--version'], { home })).replace(/[^\d.]/g, '');
    return 'skopeo';
  });
  const docker = await optional(
    'docker',
    'as root, with dockerd on PATH; on Debian: apt-get install docker.io',
    async () => {
      const engine = await startDockerEngine();
      versions['Docker Engine'] = engine.version;
      return engine;
    },
  );
  return { tools, skopeo, docker, versions, absent };
}
