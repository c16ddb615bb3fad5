import { isDeepStrictEqual } from 'node:util';
import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import { collect } from '../common/streams.js';
import type { PushTask } from '../contract/activities.js';
import type { Digest } from '../contract/brand.js';
import type { PlatformDigests } from '../contract/outcome.js';
import type { BuildEngine } from '../engines/engine.js';
import { labelsFor } from '../engines/labels.js';
import { digestOf } from '../registry/digest.js';
import {
  type ImageIndex,
  type ImageManifest,
  MAX_CONFIG_BYTES,
  parseConfig,
  parseManifest,
} from '../registry/manifest.js';
import { atDigest, splitReference } from '../registry/reference.js';
import type { Descriptor, RawManifest, Registry } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import { assertMadeAsMeant, isRepeatable, rebuild } from './built.js';
import { readManifest } from './built-content.js';
import type { SourceFetcher } from './fetch.js';
import { putTag, type TagDependencies } from './tag.js';

/** Requests under way at once. */
const CHECKS_AT_ONCE = 8;
const FAULTS_SHOWN = 10;

/** What runs when a container starts: it must be the source's own, whatever was done to the image. */
const RUNTIME = ['Entrypoint', 'Cmd', 'User', 'Env', 'WorkingDir', 'ExposedPorts'] as const;

/** The target's connections and logins may be those of the push: what is read is asked for anew, never remembered. */
export interface VerifyDependencies extends TagDependencies {
  /** The source by digest: what the target is compared with. */
  fetcher: SourceFetcher;
  engine: BuildEngine;
  content: ContentStore;
}

/**
 * Asks the target alone whether it holds the image as meant: by digest every platform, every blob with its size, the
 * labels, and layers and runtime configuration equal to the source's. Only then the tag is put.
 *
 * @throws FactoryError `VerificationFailed` naming everything that is wrong; those of {@link putTag};
 *   `ImageUnsupported` for what a worker of an older version only labelled.
 */
export async function verifyImage(
  task: PushTask,
  dependencies: VerifyDependencies,
  context: StepContext,
): Promise<void> {
  assertMadeAsMeant(task);
  const top = isRepeatable(task)
    ? ((await readManifest(dependencies.content, task.built.digest, task.target)) ??
      (await rebuild(task, dependencies, context)).top)
    : await topInTarget(task, dependencies.target, context.signal);
  const faults =
    top === undefined ? NO_TOP : await new Verification(task, dependencies, context.signal).run(top);
  if (faults.length > 0 || top === undefined) {
    const more = faults.length > FAULTS_SHOWN ? `; and ${faults.length - FAULTS_SHOWN} more` : '';
    throw new FactoryError(
      'VerificationFailed',
      `${task.target} is not what was pushed: ${faults.slice(0, FAULTS_SHOWN).join('; ')}${more}`,
    );
  }
  await putTag(task, top, dependencies, context.signal);
}

const NO_TOP = ['its top manifest is not there'];

/** What a Docker Engine built need not be on this worker: the push left its top manifest by digest, which proves itself. */
async function topInTarget(
  { built, target }: PushTask,
  registry: Registry,
  signal: AbortSignal,
): Promise<RawManifest | undefined> {
  try {
    return await registry.manifest(atDigest(target, built.digest), signal);
  } catch (error) {
    if (error instanceof FactoryError && ABOUT_CONTENT.has(error.type)) return undefined;
    throw error;
  }
}

/** Answers that say of the content that it is not there, or not what its digest says; any other fault may pass. */
const ABOUT_CONTENT = new Set<string>(['ImageNotFound', 'TransferCorrupt', 'ImageUnsupported']);

class Verification {
  readonly #faults: string[] = [];
  readonly #limit = pLimit(CHECKS_AT_ONCE);
  readonly #seen = new Set<string>();

  constructor(
    private readonly task: PushTask,
    private readonly dependencies: Pick<VerifyDependencies, 'target' | 'fetcher'>,
    private readonly signal: AbortSignal,
  ) {}

  async run({ bytes }: RawManifest): Promise<string[]> {
    const { built, target } = this.task;
    const top = parseManifest(bytes, target);
    const listed = top.kind === 'index' ? top.entries.map((entry) => entry.digest) : [built.digest];
    const platforms = new Set(built.platforms.map((platform) => platform.target));
    await Promise.all([
      ...built.platforms.map((platform) => this.#platform(platform)),
      ...listed.filter((digest) => !platforms.has(digest)).map((digest) => this.#artifact(digest)),
    ]);
    return this.#faults.sort();
  }

  async #platform({ platform, source, target: digest, how }: PlatformDigests): Promise<void> {
    const { fetcher } = this.dependencies;
    const held = await this.#manifest(`${platform}: manifest`, digest);
    if (held === undefined) return;
    const original = await fetcher.manifest(this.task.source, source, this.signal);
    const meant = parseManifest(original.bytes, this.task.source);
    if (held.kind !== 'manifest' || meant.kind !== 'manifest') {
      this.#faults.push(`${platform}: no image manifest`);
      return;
    }
    // What was built begins with the source's layers; its own are known by the manifest's digest.
    const first = how === 'built' ? held.layers.slice(0, meant.layers.length) : held.layers;
    if (!isDeepStrictEqual(first, meant.layers)) {
      this.#faults.push(`${platform}: layers differ from the source's`);
    }
    const layers = held.layers.filter((layer) => !layer.foreign);
    await Promise.all([
      this.#config(platform, held, meant, how === 'built'),
      ...layers.map((layer) => this.#blob(`${platform}: layer`, layer)),
    ]);
  }

  /** What an index lists beside images was carried over as it is: it has to be whole. */
  async #artifact(digest: Digest): Promise<void> {
    const held = await this.#manifest('artifact', digest);
    if (held?.kind !== 'manifest') return;
    await Promise.all([held.config, ...held.layers].map((blob) => this.#blob('blob of an artifact', blob)));
  }

  /** Labels as meant; everything that runs as the source has it, unless the template built something else. */
  async #config(
    platform: string,
    { config }: ImageManifest,
    meant: ImageManifest,
    built: boolean,
  ): Promise<void> {
    const { task, signal } = this;
    const { target, fetcher } = this.dependencies;
    if (config.size > MAX_CONFIG_BYTES) {
      this.#faults.push(`${platform}: the config is larger than ${MAX_CONFIG_BYTES} bytes`);
      return;
    }
    const now = await this.#observe(`${platform}: config ${config.digest}`, async () => {
      const bytes = await collect(
        await target.blob(splitReference(task.target), config, signal),
        MAX_CONFIG_BYTES,
      );
      if (digestOf(bytes) === config.digest) return parseConfig(bytes, task.target).config;
      throw new FactoryError('TransferCorrupt', `its bytes are those of ${digestOf(bytes)}`);
    });
    if (now === undefined) return;
    if (built) {
      // A build may set labels of its own; the template's and the marks are over them.
      const ours = labelsFor(task, now.Labels);
      if (!isDeepStrictEqual({ ...now.Labels, ...ours }, now.Labels))
        this.#faults.push(`${platform}: labels are not as meant`);
      return;
    }
    const original = await fetcher.config(task.source, meant.config, signal);
    const before = parseConfig(original, task.source).config;
    const labels = { ...before.Labels, ...labelsFor(task, before.Labels) };
    if (!isDeepStrictEqual(now.Labels, labels)) this.#faults.push(`${platform}: labels are not as meant`);
    for (const field of RUNTIME) {
      if (!isDeepStrictEqual(now[field], before[field]))
        this.#faults.push(`${platform}: ${field} differs from the source's`);
    }
  }

  async #manifest(what: string, digest: Digest): Promise<ImageManifest | ImageIndex | undefined> {
    const { target } = this.task;
    return this.#observe(`${what} ${digest}`, async () => {
      const raw = await this.dependencies.target.manifest(atDigest(target, digest), this.signal);
      return raw && parseManifest(raw.bytes, target);
    });
  }

  async #blob(what: string, { digest, size }: Descriptor): Promise<void> {
    if (this.#seen.has(`${digest} ${size}`)) return; // platforms share layers
    this.#seen.add(`${digest} ${size}`);
    const repository = splitReference(this.task.target);
    const held = await this.#observe(`${what} ${digest}`, () =>
      this.dependencies.target.headBlob(repository, digest, this.signal),
    );
    if (held !== undefined && held !== size) {
      this.#faults.push(`${what} ${digest} has ${held} bytes instead of ${size}`);
    }
  }

  /** Looks at something in the target; that it is not there or damaged is a fault, and the answer is undefined. */
  async #observe<T>(what: string, look: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      const seen = await this.#limit(look);
      if (seen === undefined) this.#faults.push(`${what} is not there`);
      return seen;
    } catch (error) {
      if (!(error instanceof FactoryError) || !ABOUT_CONTENT.has(error.type)) throw error;
      const why = error.type === 'ImageNotFound' ? 'is not there' : `is damaged (${error.message})`;
      this.#faults.push(`${what} ${why}`);
      return undefined;
    }
  }
}
