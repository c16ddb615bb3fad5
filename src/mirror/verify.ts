import { isDeepStrictEqual } from 'node:util';
import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import { collect } from '../common/streams.js';
import type { PushTask } from '../contract/activities.js';
import type { PlatformDigests } from '../contract/outcome.js';
import { labelsFor } from '../engines/labels.js';
import { digestOf } from '../registry/digest.js';
import { type ImageManifest, MAX_CONFIG_BYTES, parseConfig, parseManifest } from '../registry/manifest.js';
import { atDigest, splitReference } from '../registry/reference.js';
import type { Registry } from '../registry/types.js';
import type { SourceFetcher } from './fetch.js';

/** HEADs under way at once. */
const CHECKS_AT_ONCE = 6;

/** What runs when a container starts: it must be the source's own, whatever was done to the image. */
const RUNTIME = ['Entrypoint', 'Cmd', 'User', 'Env', 'WorkingDir', 'ExposedPorts'] as const;

export interface VerifyDependencies {
  /** A client that knows nothing yet: what it sees is what the target holds now. */
  target: Registry;
  /** The source by digest: what the target is compared with. */
  fetcher: SourceFetcher;
}

/**
 * Asks the target alone whether it holds the image as meant: by tag and by digest, every platform, every blob with its
 * size, the labels, and layers and runtime configuration equal to the source's.
 *
 * @throws FactoryError `VerificationFailed` naming everything that is wrong.
 */
export async function verifyImage(
  task: PushTask,
  { target, fetcher }: VerifyDependencies,
  signal: AbortSignal,
): Promise<void> {
  const faults: string[] = [];
  const fault = (text: string): void => void faults.push(text);
  const limit = pLimit(CHECKS_AT_ONCE);
  const tagged = await target.head(task.target, signal);
  if (tagged?.digest !== task.built.digest) {
    fault(`the tag holds ${tagged?.digest ?? 'nothing'} instead of ${task.built.digest}`);
  }
  const top = await target.manifest(atDigest(task.target, task.built.digest), signal);
  if (top === undefined) fault(`${task.built.digest} is not there`);
  else {
    const listed = parseManifest(top.bytes, task.target);
    const digests =
      listed.kind === 'index' ? listed.entries.map((entry) => entry.digest) : [top.descriptor.digest];
    const missing = task.built.platforms.filter((platform) => !digests.includes(platform.target));
    for (const { platform } of missing) fault(`${platform} is not listed`);
    await Promise.all(
      task.built.platforms.map((platform) =>
        verifyPlatform(platform, task, { target, fetcher }, limit, fault, signal),
      ),
    );
  }
  if (faults.length > 0) {
    throw new FactoryError(
      'VerificationFailed',
      `${task.target} is not what was pushed: ${faults.sort().slice(0, 10).join('; ')}${faults.length > 10 ? `; and ${faults.length - 10} more` : ''}`,
    );
  }
}

async function verifyPlatform(
  { platform, source, target: digest }: PlatformDigests,
  task: PushTask,
  { target, fetcher }: VerifyDependencies,
  limit: ReturnType<typeof pLimit>,
  fault: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const raw = await limit(() => target.manifest(atDigest(task.target, digest), signal));
  if (raw === undefined) return fault(`${platform}: manifest ${digest} is not there`);
  const held = parseManifest(raw.bytes, task.target);
  const meant = parseManifest((await fetcher.manifest(task.source, source, signal)).bytes, task.source);
  if (held.kind !== 'manifest' || meant.kind !== 'manifest') return fault(`${platform}: no image manifest`);
  if (!isDeepStrictEqual(held.layers, meant.layers)) fault(`${platform}: layers differ from the source's`);
  await Promise.all([
    verifyConfig(platform, task, held, meant, { target, fetcher }, fault, signal),
    ...held.layers
      .filter((layer) => !layer.foreign)
      .map((layer) =>
        limit(async () => {
          const size = await target.headBlob(splitReference(task.target), layer.digest, signal);
          if (size === undefined) fault(`${platform}: layer ${layer.digest} is not there`);
          else if (size !== layer.size)
            fault(`${platform}: layer ${layer.digest} has ${size} bytes instead of ${layer.size}`);
        }),
      ),
  ]);
}

/** Labels as meant; everything that runs as the source has it. */
async function verifyConfig(
  platform: string,
  task: PushTask,
  held: ImageManifest,
  meant: ImageManifest,
  { target, fetcher }: VerifyDependencies,
  fault: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { config } = held;
  if (config.size > MAX_CONFIG_BYTES)
    return fault(`${platform}: the config is larger than ${MAX_CONFIG_BYTES} bytes`);
  let bytes: Buffer;
  try {
    bytes = await collect(await target.blob(splitReference(task.target), config, signal), MAX_CONFIG_BYTES);
  } catch (error) {
    if (!(error instanceof FactoryError) || error.type !== 'ImageNotFound') throw error;
    return fault(`${platform}: config ${config.digest} is not there`);
  }
  if (digestOf(bytes) !== config.digest) return fault(`${platform}: config ${config.digest} was damaged`);
  const now = parseConfig(bytes, task.target).config;
  const before = parseConfig(await fetcher.config(task.source, meant.config, signal), task.source).config;
  const labels = { ...before.Labels, ...labelsFor(task, before.Labels) };
  if (!isDeepStrictEqual(now.Labels, labels)) fault(`${platform}: labels are not as meant`);
  for (const field of RUNTIME) {
    if (!isDeepStrictEqual(now[field], before[field]))
      fault(`${platform}: ${field} differs from the source's`);
  }
}
