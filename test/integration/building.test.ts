import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram } from '../../src/common/process.js';
import { asksFor, corporateServer, debianImage, runImage } from '../buildkit/corporate.js';
import { imagesOn } from '../buildkit/world.js';
import { commandLines, ROOT, readDocument, section, words } from '../docs/document.js';
import { publish } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { ref, type TestImage } from '../support/images.js';
import { openFactory } from './factory.js';
import { startWorkerProcess } from './worker-process.js';

const SECTION = '## Change what is inside an image';
const IMAGE = 'harness/drone-git:1.6.9-rootless';
// The first time a Debian system is made as well.
const MADE_WITHIN_MS = 600_000;

let docker: DockerEngine;
let image: TestImage;
beforeAll(async () => {
  docker = await startDockerEngine();
  image = await debianImage('root');
}, MADE_WITHIN_MS);
afterAll(() => docker?.stop());

/** The repository as a reader has it cloned, in a folder where their own files may come to lie beside it. */
async function clone(directory: string): Promise<string> {
  const folder = join(directory, 'clone');
  await mkdir(folder);
  for (const name of ['package.json', 'node_modules', 'src', 'templates', 'tsconfig.json'])
    await symlink(fileURLToPath(new URL(name, ROOT)), join(folder, name));
  return folder;
}

/** The reader's worker, and one of another host: it shares the evidence alone, and has nothing that the first one built. */
async function startWorkers(env: Record<string, string>): Promise<void> {
  const elsewhere = { CONTENT_DIR: `${env.CONTENT_DIR}-2`, TRIVY_CACHE_DIR: `${env.TRIVY_CACHE_DIR}-2` };
  await Promise.all([env, { ...env, ...elsewhere }].map((one) => startWorkerProcess(one)));
}

it(
  'the README’s section on builds, word for word, makes copies that trust the company’s CA',
  async () => {
    const { certificate, port } = await corporateServer();
    const factory = await openFactory({
      images: (one) => IMAGE.startsWith(`${one.repository}:`),
      account: 'building',
      withoutWorker: true,
    });
    const { target, source, temporal, registry } = factory;
    await publish(registry, ref(`${source.host}/${IMAGE}`), image);
    const cwd = await clone(factory.directory);
    const authority = join(factory.directory, 'your-ca.crt');
    await writeFile(authority, certificate);
    const env: Record<string, string> = {
      ...factory.env,
      REGISTRY: target.host,
      DOCKER_HOST: '',
      TEMPLATE_DIR: '',
    };
    const real = (line: string): string =>
      line
        .replaceAll('/path/to/your-ca.crt', authority)
        .replaceAll('$PWD', cwd)
        .replaceAll('unix:///var/run/docker.sock', docker.host);
    const output = new Map<string, string>();
    const shell = async (line: string): Promise<string> => {
      const { code, stdout, stderr } = await runProgram('bash', ['-c', line], {
        env,
        cwd,
        timeoutMs: 120_000,
      });
      expect(code, `${line}\n${stdout}\n${stderr}`).toBe(0);
      return stdout;
    };
    for (const shown of commandLines(section(await readDocument('README.md'), SECTION))) {
      const line = real(shown);
      const [first, variable = ''] = words(line);
      if (first === 'export')
        env[variable.slice(0, variable.indexOf('='))] = variable.slice(variable.indexOf('=') + 1);
      else if (line === 'npm run worker') await startWorkers(env);
      else output.set(shown.replace('npm run -s image-factory -- ', ''), await shell(line));
    }
    const said = (command: string): string =>
      [...output].find(([shown]) => shown.startsWith(command))?.[1] ?? `no ${command}`;
    expect(said('template check')).toContain('is fine');
    expect(said('plan')).toMatch(/build: Docker Engine \S+ for linux\/amd64.*other platforms are copied/s);
    expect(said('run')).toContain('1 mirrored');

    const copy = ref(`${target.host}/${IMAGE}`);
    expect(await runImage(docker, ref(`${source.host}/${IMAGE}`), asksFor(port))).not.toBe(0);
    expect(await runImage(docker, copy, asksFor(port))).toBe(0);
    expect(await runImage(docker, copy)).toBe(0);

    const again = [...output.keys()].find((shown) => shown.startsWith('run '));
    expect(await shell(`npm run -s image-factory -- ${again}`)).toContain('1 unchanged');
    const built: string[] = [];
    const pushedOn: string[] = [];
    for await (const { workflowId } of temporal.client.workflow.list({
      query: `TaskQueue = '${temporal.taskQueue}'`,
    })) {
      const { events } = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
      for (const event of events ?? []) {
        const name = event.activityTaskScheduledEventAttributes?.activityType?.name;
        if (name === 'buildImage') built.push(workflowId);
        const queue = event.activityTaskScheduledEventAttributes?.taskQueue?.name;
        if (name === 'pushImage') pushedOn.push(queue ?? '');
      }
    }
    expect(built).toEqual([`mirror-image/${copy}`]);
    // By the worker that had built it, whatever others there are.
    expect(pushedOn).toEqual([expect.stringMatching(new RegExp(`^${temporal.taskQueue}/`))]);
    expect(await imagesOn(docker)).toEqual([]);
  },
  MADE_WITHIN_MS,
);
