import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { TOOLS, type ToolName, type ToolSpec } from '../../src/demo/tools/catalog.js';
import type { ToolEvent } from '../../src/demo/tools.js';

/** A directory that goes away with the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes a shell script that can be run as `directory/name`. */
export async function program(directory: string, name: string, script: string): Promise<string> {
  const path = join(directory, name);
  await mkdir(directory, { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

export interface Machine {
  /** A directory on its PATH, and but for a few basic programs the only one. */
  bin: string;
  /** Its tool cache. */
  cache: string;
  env: Record<string, string>;
  events: ToolEvent[];
  report: (event: ToolEvent) => void;
}

/** A machine that has nothing but the basic programs named. */
export async function bareMachine(basics: string[] = []): Promise<Machine> {
  const root = await temporaryDirectory();
  const bin = join(root, 'bin');
  const cache = join(root, 'cache');
  await mkdir(bin);
  for (const name of basics) {
    const directories = (process.env.PATH ?? '').split(':');
    const found = directories.map((directory) => join(directory, name)).find(exists);
    if (found === undefined) throw new Error(`these tests need ${name} on PATH`);
    await symlink(found, join(bin, name));
  }
  const events: ToolEvent[] = [];
  const env = { PATH: bin, HOME: root, IMAGE_FACTORY_TOOLS_DIR: cache };
  return { bin, cache, env, events, report: (event) => events.push(event) };
}

function exists(path: string): boolean {
  try {
    execFileSync('test', ['-x', path]);
    return true;
  } catch {
    return false;
  }
}

/** The catalogue with some tools changed. */
export const catalogWith = (changes: Partial<Record<ToolName, Partial<ToolSpec>>>) =>
  Object.fromEntries(
    Object.entries(TOOLS).map(([name, spec]) => [name, { ...spec, ...changes[name as ToolName] }]),
    // Same keys as TOOLS, and a spread over a spec is a spec.
  ) as Record<ToolName, ToolSpec>;

/** Serves a release of crane (a script) with a checksum file, which is right unless told otherwise. */
export async function serveRelease(
  options: { damaged?: boolean; script?: string; folder?: string; bare?: boolean } = {},
) {
  const directory = await temporaryDirectory();
  const { folder = '.' } = options; // in the archive
  const name = options.bare ? 'crane' : 'crane.tar.gz';
  await mkdir(join(directory, folder), { recursive: true });
  await program(join(directory, folder), 'crane', options.script ?? 'echo v0.20.6');
  execFileSync('tar', ['-czf', join(directory, 'crane.tar.gz'), '-C', directory, `${folder}/crane`]);
  const archive = await readFile(join(directory, name));
  const sha256 = createHash('sha256').update(archive).digest('hex');
  const body = options.damaged ? Buffer.from(archive).fill(0, 20, 24) : archive;
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (request.url === '/checksums.txt')
      return response.end(`${'0'.repeat(64)}  other\n${sha256}  ${name}\n`);
    // As GitHub does it: the archive is elsewhere.
    if (request.url === `/${name}`) return response.writeHead(302, { location: '/cdn' }).end();
    return response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  // An address with a port, as it listens on TCP.
  const { port } = server.address() as AddressInfo;
  const base = `http://127.0.0.1:${port}`;
  const release = { archive: `${base}/${name}`, checksums: `${base}/checksums.txt`, folder };
  return { release, requests };
}

/** A `go` that takes no minutes: it "builds" a program that prints `output`. */
export const fakeGo = (bin: string, options: { version?: string; output?: string } = {}): Promise<string> =>
  program(
    bin,
    'go',
    `if [ "$1" = version ]; then echo 'go version go${options.version ?? '1.26.1'} linux/amd64'; exit; fi
mkdir -p "$GOBIN" && printf '#!/bin/sh\\necho ${options.output ?? 'v0.20.6'}\\n' > "$GOBIN/crane"`,
  );
