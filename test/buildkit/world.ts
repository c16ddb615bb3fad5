import { join } from 'node:path';
import type { BuildTask, PushTask } from '../../src/contract/activities.js';
import type { BuildkitConfig, BuildPushConfig, TemplateFile } from '../../src/contract/run.js';
import { Daemon } from '../../src/engines/buildkit/daemon.js';
import { BuildkitEngine } from '../../src/engines/buildkit/engine.js';
import type { DockerSettings } from '../../src/engines/buildkit/settings.js';
import { ChosenEngine } from '../../src/engines/engine.js';
import { RegistryEngine } from '../../src/engines/registry.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { digestOf } from '../../src/registry/digest.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { BUILD, buildTask, context, openSides, publish, type Sides } from '../mirror/side.js';
import { temporaryDirectory } from '../support/directory.js';
import type { DockerEngine } from '../support/docker-engine.js';
import type { TestImage } from '../support/images.js';

export const localEngine = ({ host }: DockerEngine): DockerSettings => ({ host, tls: false, certPath: '' });

/** A worker with a content store of its own, that builds with an engine. */
export async function worker(sides: Sides, settings: DockerSettings) {
  const content = await DirectoryContentStore.open(join(await temporaryDirectory(), 'content'));
  const fetcher = new SourceFetcher(sides.registry, content);
  const { evidence } = sides;
  const daemon = new Daemon(settings);
  const buildkit = new BuildkitEngine({ daemon, fetcher, content, evidence });
  const registry = new RegistryEngine(fetcher, content);
  const engine = new ChosenEngine({ registry, buildkit });
  return { ...sides, content, fetcher, engine, buildkit, daemon };
}
export type Worker = Awaited<ReturnType<typeof worker>>;

/** Two registries and a worker that builds with an engine. */
export async function openBuilds(docker: DockerEngine): Promise<Worker> {
  return worker(await openSides(), localEngine(docker));
}

export interface Template extends Partial<Omit<BuildkitConfig, 'files' | 'dockerfile'>> {
  body: string;
  files?: Record<string, string | { text: string; executable: boolean }>;
  labels?: Record<string, string>;
  platforms?: string[];
}

/** What a template becomes when a run is resolved: its texts in the evidence store, and a digest of it all. */
export async function resolved({ evidence }: Worker, template: Template): Promise<BuildPushConfig> {
  const put = (text: string) => evidence.put(`templates/${digestOf(text).slice(7)}`, text);
  const files: TemplateFile[] = [];
  for (const [path, file] of Object.entries(template.files ?? {})) {
    const { text, executable } = typeof file === 'string' ? { text: file, executable: false } : file;
    files.push({ path, executable, evidence: await put(text) });
  }
  return {
    ...BUILD,
    engine: 'buildkit',
    templateDigest: digestOf(JSON.stringify(template)),
    labels: template.labels ?? BUILD.labels,
    platforms: template.platforms ?? [],
    buildkit: {
      dockerfile: await put(template.body),
      buildArgs: template.buildArgs ?? {},
      files,
      onUnbuildablePlatform: template.onUnbuildablePlatform ?? 'fail',
      // Where the tests run there is no bridge.
      network: template.network ?? 'host',
    },
  };
}

let runs = 0;

/** A task of a run of its own. */
export async function taskOf(
  sides: Worker,
  name: string,
  image: TestImage,
  template: Template,
): Promise<BuildTask> {
  await publish(sides.registry, sides.sourceReference(name), image);
  const task = buildTask(sides, name, image.top.descriptor.digest, await resolved(sides, template));
  return { ...task, runId: `run-${process.pid}-${++runs}` };
}

export const pushTask = async (sides: Worker, task: BuildTask): Promise<PushTask> => ({
  ...task,
  built: await sides.engine.build(task, context()),
  repair: false,
});
