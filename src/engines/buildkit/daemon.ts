import type { Readable } from 'node:stream';
import { z } from 'zod';
import { FactoryError } from '../../common/errors.js';
import type { EngineState } from '../../contract/activities.js';
import type { Digest } from '../../contract/brand.js';
import { isDigest } from '../../registry/digest.js';
import { DockerClient, TooLong } from './docker-client.js';
import { engineUnavailable } from './docker-error.js';
import { RUN_LABEL } from './names.js';
import { plainText } from './plain-text.js';
import type { DockerSettings } from './settings.js';
import { workerPlatforms } from './workers.js';

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const list = z
  .array(z.string())
  .nullish()
  .transform((items) => items ?? []);

const versionSchema = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  Os: z.string(),
  Arch: z.string(),
  Components: z.array(z.object({ Name: z.string() })).nullish(),
});
const infoSchema = z.object({ DockerRootDir: z.string().optional() });
const summarySchema = z.object({
  Id: z.string(),
  RepoTags: list,
  Created: z.number(),
  Labels: z
    .record(z.string(), z.string())
    .nullish()
    .transform((labels) => labels ?? {}),
});
const imageSchema = z.object({
  Id: z.string(),
  Created: z.string().nullish(),
  Config: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((config) => config ?? {}),
  RootFS: z.object({
    Layers: z
      .array(digest)
      .nullish()
      .transform((layers) => layers ?? []),
  }),
});
/** An image as the engine describes it. */
export type EngineImage = z.output<typeof imageSchema>;
export type EngineImageSummary = z.output<typeof summarySchema>;

export interface BuildingEngine extends EngineState {
  /** The platform of its machine. */
  native: string;
}

/** Gigabytes over a slow link; an engine that hangs is noticed after it. */
const SAVE_MS = 20 * 60_000;

/** The first API of 20.10, which has all that we ask for. */
const OLDEST_API = [1, 41] as const;

/** What we ask of a Docker Engine. Nothing is asked before the first call. */
export class Daemon {
  readonly client: DockerClient;

  constructor(settings: DockerSettings) {
    this.client = new DockerClient(settings);
  }

  /** For messages. */
  get name(): string {
    return this.client.name;
  }

  /** @throws FactoryError `EngineUnsuitable` for an engine that can't build for us, `EngineUnavailable` */
  async state(signal: AbortSignal): Promise<BuildingEngine> {
    const said = await this.client.json(versionSchema, 'GET', '/version', { signal });
    const unsuitable = (why: string): FactoryError =>
      new FactoryError(
        'EngineUnsuitable',
        `${this.name} ${why}: give a Docker Engine 20.10 or newer on Linux`,
      );
    if (said.Components?.some(({ Name }) => /podman/i.test(Name)))
      throw unsuitable('is Podman, which has no BuildKit');
    const [major = 0, minor = 0] = said.ApiVersion.split('.').map(Number);
    if (major < OLDEST_API[0] || (major === OLDEST_API[0] && minor < OLDEST_API[1]))
      throw unsuitable(`is version ${plainText(said.Version, 40)}, which is too old`);
    if (said.Os !== 'linux') throw unsuitable(`runs on ${plainText(said.Os, 40)}`);
    const version = plainText(said.Version, 40);
    const native = `linux/${said.Arch}`;
    return { version, native, platforms: (await this.#platforms(signal)) ?? [native] };
  }

  /** Where the engine keeps its images; undefined when it does not say. */
  async dataRoot(signal: AbortSignal): Promise<string | undefined> {
    return (await this.client.json(infoSchema, 'GET', '/info', { signal })).DockerRootDir;
  }

  /** An image by name or id; undefined when the engine has none. */
  image(name: string, signal: AbortSignal): Promise<EngineImage | undefined> {
    return this.client.jsonIfThere(imageSchema, 'GET', `/images/${name}/json`, { signal });
  }

  /** Gives an image another name. @returns false when the engine has it no longer */
  async tag(image: string, name: string, signal: AbortSignal): Promise<boolean> {
    const [repo, tag] = partsOf(name);
    const call = { signal, query: { repo, tag } };
    const done = z.unknown().transform(() => true);
    return (await this.client.jsonIfThere(done, 'POST', `/images/${image}/tag`, call)) ?? false;
  }

  /** Takes a name away, and the image with its last one. @returns false when there is none, or a container uses it */
  async remove(name: string, signal: AbortSignal): Promise<boolean> {
    const done = z.unknown().transform(() => true);
    return (await this.client.jsonIfThere(done, 'DELETE', `/images/${name}`, { signal })) ?? false;
  }

  /** All images, or those with our label. */
  images(signal: AbortSignal, which: 'all' | 'labelled' = 'all'): Promise<EngineImageSummary[]> {
    const query: Record<string, string> =
      which === 'all' ? { all: 'false' } : { filters: JSON.stringify({ label: [RUN_LABEL] }) };
    return this.client.json(z.array(summarySchema), 'GET', '/images/json', { signal, query });
  }

  /** Has the archive read that `docker save` writes. */
  save(name: string, signal: AbortSignal, read: (archive: Readable) => Promise<void>): Promise<void> {
    const call = { signal, limitMs: SAVE_MS };
    return this.client.stream('GET', `/images/${name}/get`, call, read).catch((error: unknown) => {
      throw error instanceof TooLong ? engineUnavailable(this.name, error.message) : error;
    });
  }

  /** Has the engine take the archive that `docker load` takes, and its messages read. */
  load(archive: Readable, signal: AbortSignal, read: (answer: Readable) => Promise<void>): Promise<void> {
    const call = { signal, query: { quiet: true }, file: archive, limitMs: SAVE_MS };
    return this.client.stream('POST', '/images/load', call, read).catch((error: unknown) => {
      throw error instanceof TooLong ? engineUnavailable(this.name, error.message) : error;
    });
  }

  /** Undefined where the daemon can't be asked: it is older, or something stands in between that knows no upgrade. */
  async #platforms(signal: AbortSignal): Promise<string[] | undefined> {
    try {
      const platforms = await workerPlatforms(await this.client.upgrade('/grpc', signal));
      return platforms.length === 0 ? undefined : platforms;
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }
}

export function partsOf(name: string): [repository: string, tag: string] {
  const at = name.lastIndexOf(':');
  return [name.slice(0, at), name.slice(at + 1)];
}
