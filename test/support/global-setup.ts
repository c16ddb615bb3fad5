import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { toolScreen } from '../../src/demo/tools/screen.js';
import { ensureTools } from '../../src/demo/tools.js';

/**
 * Puts the tools first on PATH under their own names (one may be found as `docker-registry`, or in the cache); Vitest's
 * worker processes inherit this process's environment. A tool that can't be had fails the whole run.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const screen = toolScreen(process.stderr);
  try {
    // Here all that any test needs: built within a test, on a machine that has none yet, one would be out of time.
    const names = ['temporal', 'trivy', 'registry', 'crane', 'versitygw', 'docker-compose'] as const;
    const tools = await ensureTools(names, {
      report: (event) => {
        if (event.elapsedMs > 0) screen.report(event); // what is there needs no line before each test run
      },
    });
    const bin = await mkdtemp(join(tmpdir(), 'image-factory-tools-'));
    for (const tool of Object.values(tools)) await symlink(tool.path, join(bin, tool.name));
    process.env.PATH = `${bin}${delimiter}${process.env.PATH}`;
    return () => rm(bin, { recursive: true, force: true });
  } finally {
    screen.end();
  }
}
