import { fileURLToPath } from 'node:url';
import { runProgram } from '../../src/common/process.js';
import { serviceEnvironment } from '../../src/demo/services/environment.js';
import { ensureTools } from '../../src/demo/tools.js';
import type { DockerEngine } from '../support/docker-engine.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface ComposeOptions {
  /** Compose files, the project's own when absent. */
  files?: readonly string[];
  /** Without one nothing can be built or run. */
  engine?: DockerEngine;
  /** What the files ask for as variables; nothing else is set. */
  env?: Record<string, string>;
}

/**
 * Runs Docker Compose, from PATH or the tool cache, in the project's directory.
 *
 * @returns what it printed on standard output
 * @throws Error with the end of what it said when it did not end well
 */
export async function compose(args: readonly string[], options: ComposeOptions = {}): Promise<string> {
  const { 'docker-compose': tool } = await ensureTools(['docker-compose']);
  const files = (options.files ?? [`${ROOT}docker-compose.yml`]).flatMap((file) => ['--file', file]);
  const { code, stdout, stderr } = await runProgram(
    tool.path,
    ['--progress', 'plain', '--env-file', '/dev/null', '--project-directory', ROOT, ...files, ...args],
    {
      cwd: ROOT,
      env: serviceEnvironment({
        // Never the machine's own engine or login.
        DOCKER_HOST: options.engine?.host ?? 'unix:///nowhere/docker.sock',
        DOCKER_CONFIG: options.engine?.clientConfig ?? '/nowhere',
        ...options.env,
      }),
      timeoutMs: 600_000,
      maxOutputBytes: 16 << 20,
    },
  );
  if (code !== 0) throw new Error(`docker compose ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return stdout;
}
