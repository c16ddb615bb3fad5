import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import type { BuildTask, PushTask } from '../../src/contract/activities.js';
import type { BuiltImage } from '../../src/contract/outcome.js';
import type { BuildkitConfig, BuildPushConfig, TemplateFile } from '../../src/contract/run.js';
import { tar } from '../../src/demo/fleet/tar.js';
import { BUILD_LIMITS, type BuildLimits } from '../../src/engines/buildkit/build-time.js';
import { Daemon } from '../../src/engines/buildkit/daemon.js';
import { BuildkitEngine } from '../../src/engines/buildkit/engine.js';
import type { DockerSettings } from '../../src/engines/buildkit/settings.js';
import { ChosenEngine } from '../../src/engines/engine.js';
import { RegistryEngine } from '../../src/engines/registry.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { digestOf } from '../../src/registry/digest.js';
import {
  BLOB_TYPE,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  parseManifest,
} from '../../src/registry/manifest.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { BUILD, buildTask, context, openSides, publish, type Sides } from '../mirror/side.js';
import { temporaryDirectory } from '../support/directory.js';
import type { DockerEngine } from '../support/docker-engine.js';
import {
  blobOf,
  type Flavour,
  imageOf,
  indexOf,
  LINUX_AMD64,
  LINUX_ARM64,
  type TestImage,
  type TestLayer,
} from '../support/images.js';

export const localEngine = ({ host }: DockerEngine): DockerSettings => ({ host, tls: false, certPath: '' });

/** A worker with a content store of its own, that builds with an engine. */
export async function worker(sides: Sides, settings: DockerSettings, limits: Partial<BuildLimits> = {}) {
  const content = await DirectoryContentStore.open(join(await temporaryDirectory(), 'content'));
  const fetcher = new SourceFetcher(sides.registry, content);
  const { evidence } = sides;
  const daemon = new Daemon(settings);
  const buildkit = new BuildkitEngine({ daemon, fetcher, content, evidence }, { ...BUILD_LIMITS, ...limits });
  const registry = new RegistryEngine(fetcher, content);
  const engine = new ChosenEngine({ registry, buildkit });
  return { ...sides, content, fetcher, engine, buildkit, daemon };
}
export type Worker = Awaited<ReturnType<typeof worker>>;

/** Two registries and a worker that builds with an engine. */
export async function openBuilds(docker: DockerEngine, limits: Partial<BuildLimits> = {}): Promise<Worker> {
  return worker(await openSides(), localEngine(docker), limits);
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

/** A layer with a shell, which runs on amd64 alone. */
export async function shellLayer(flavour: Flavour = 'oci'): Promise<TestLayer> {
  const busybox = await readFile(BUSYBOX);
  return programLayer({ 'bin/busybox': busybox, 'bin/sh': busybox }, flavour);
}

/** A layer of files that may be run. */
export function programLayer(files: Record<string, Buffer | string>, flavour: Flavour = 'oci'): TestLayer {
  const archive = tar(Object.entries(files).map(([path, content]) => ({ path, content, mode: 0o755 })));
  const mediaType = flavour === 'oci' ? BLOB_TYPE.ociLayer : BLOB_TYPE.dockerLayer;
  return { ...blobOf(mediaType, gzipSync(archive)), diffId: digestOf(archive) };
}

/** Debian's busybox-static. */
const BUSYBOX = '/bin/busybox';

export interface ShellImageOptions {
  flavour?: Flavour;
  /** More of the config of amd64's `config`. */
  run?: object;
}

/** An image with a shell for amd64, and the same files for arm64. */
export async function shellImage({ flavour = 'oci', run = {} }: ShellImageOptions = {}): Promise<TestImage> {
  const layers = [await shellLayer(flavour)];
  return indexOf(
    [LINUX_AMD64, LINUX_ARM64].map((platform) => imageOf({ flavour, platform, layers, run })),
    { flavour },
  );
}

/** Manifest and config of a platform that was built, out of the content store. */
export async function builtPlatform({ content }: Worker, built: BuiltImage, platform: string) {
  const target = built.platforms.find((one) => one.platform === platform)?.target;
  const bytes = target && (await content.read(target, MAX_MANIFEST_BYTES));
  if (!bytes) throw new Error(`${platform} was not built`);
  const manifest = parseManifest(bytes, platform);
  if (manifest.kind !== 'manifest') throw new Error('no image manifest');
  const config = await content.read(manifest.config.digest, MAX_CONFIG_BYTES);
  return { manifest, config: configSchema.parse(JSON.parse(config?.toString('utf8') ?? '')) };
}

const configSchema = z.looseObject({
  created: z.string().optional(),
  config: z.record(z.string(), z.unknown()),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
  history: z.array(z.record(z.string(), z.unknown())).optional(),
});

/** What an engine has under names and labels of ours, and in all. */
export async function imagesOn(docker: DockerEngine): Promise<string[]> {
  const images = imagesSchema.parse(await docker.ask('GET', '/images/json?all=true'));
  return images.flatMap(({ Id, RepoTags }) => RepoTags ?? [Id]).sort();
}
const imagesSchema = z.array(z.object({ Id: z.string(), RepoTags: z.array(z.string()).nullable() }));

export const logOf = async ({ evidence }: Worker, built: BuiltImage): Promise<string> =>
  (await evidence.get(built.log?.key ?? ''))?.toString('utf8') ?? '';
