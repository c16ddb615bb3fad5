import { FactoryError } from '../../common/errors.js';
import type { BuildTask } from '../../contract/activities.js';
import type { Digest } from '../../contract/brand.js';
import type { PlatformImage } from '../../mirror/fetch.js';
import { extendConfig, extendManifest } from '../../registry/extend.js';
import { BLOB_TYPE, type ImageConfig, takesAnnotations } from '../../registry/manifest.js';
import { relabelConfig, relabelManifest } from '../../registry/relabel.js';
import type { Descriptor } from '../../registry/types.js';
import type { ContentStore } from '../../store/content.js';
import { labelsFor } from '../labels.js';
import type { EngineImage } from './daemon.js';
import type { Exported } from './export.js';
import type { Instruction } from './instructions.js';
import { RUN_LABEL } from './names.js';
import { changedFields } from './run-fields.js';

/** One platform of the source, and what the engine made of it. */
export interface Made {
  image: PlatformImage;
  /** The source's config, as bytes and as we read it. */
  bytes: Buffer;
  config: ImageConfig;
  /** The source's own `config` and `history`, unread. */
  before: { run: Record<string, unknown>; history: number };
  instructions: readonly Instruction[];
  built: EngineImage;
  exported: Exported;
}

/** The media type of a layer that is added to a manifest: of its own family. */
export const newLayerType = (manifestType: string): string =>
  takesAnnotations(manifestType) ? BLOB_TYPE.ociLayer : BLOB_TYPE.dockerLayer;

/** The DiffIDs that a build added to those of its base. @throws FactoryError `BuildFailed` when it has another base */
export function addedDiffIds(base: readonly string[], built: EngineImage, image: string): Digest[] {
  const { Layers: all } = built.RootFS;
  if (base.every((digest, position) => all[position] === digest)) return all.slice(base.length);
  throw new FactoryError(
    'BuildFailed',
    `${image}: what the engine built does not begin with the source's layers: the template's dockerfile may not begin another image (FROM)`,
  );
}

/**
 * Writes config and manifest of a built platform: the source's own documents, with the new layers, what instructions
 * changed, and our labels. Everything else stays as it is, fields that the engine does not know among it.
 *
 * @throws JsonError as the edits do
 */
export async function writePlatform(
  task: BuildTask,
  { image, bytes, config, before, instructions, built, exported }: Made,
  annotations: Record<string, string>,
  content: ContentStore,
): Promise<Descriptor> {
  const base = config.rootfs?.diff_ids ?? [];
  const diffIds = built.RootFS.Layers.slice(base.length);
  const known = new Map(image.layers.map((layer, position) => [base[position], layer]));
  const layers = diffIds.map((diffId) => {
    const layer = known.get(diffId) ?? exported.layers.get(diffId);
    if (layer === undefined) throw new Error(`no layer for ${diffId}`);
    return { mediaType: layer.mediaType, digest: layer.digest, size: layer.size };
  });
  const triggers = Array.isArray(before.run.OnBuild) && before.run.OnBuild.length > 0;
  const created = diffIds.length === 0 ? undefined : (exported.created ?? built.Created ?? undefined);
  const extended = extendConfig(bytes, {
    run: changedFields(instructions, before.run, built.Config, triggers),
    diffIds,
    history: historyOf(exported, before.history, diffIds.length, instructions).map((one) =>
      JSON.stringify(one),
    ),
    ...(created === undefined ? {} : { created }),
  });
  const own = labelsOf(config.config.Labels, built.Config.Labels);
  const labels = { ...own, ...labelsFor(task, { ...config.config.Labels, ...own }) };
  const made = relabelConfig(extended, labels);
  const manifest = relabelManifest(extendManifest(image.manifest.bytes, layers), {
    config: { ...image.config, digest: await content.write(made), size: made.length },
    annotations,
  });
  return { ...image.manifest.descriptor, digest: await content.write(manifest), size: manifest.length };
}

/** What `LABEL` set: what the engine has and the source has not. */
function labelsOf(upstream: Readonly<Record<string, string>>, built: unknown): Record<string, string> {
  const all = typeof built === 'object' && built !== null ? Object.entries(built) : [];
  return Object.fromEntries(
    all.filter(
      (entry): entry is [string, string] =>
        typeof entry[1] === 'string' && entry[0] !== RUN_LABEL && upstream[entry[0]] !== entry[1],
    ),
  );
}

/**
 * The entries that a build added to the history. Layers and entries must match: those that the engine made up where the
 * source's own lacks some come last, and are left out.
 */
function historyOf(
  { history }: Exported,
  before: number,
  layers: number,
  instructions: readonly Instruction[],
): Record<string, unknown>[] {
  // Without a layer nothing was exported; and without the engine's clock the result is the same on every day.
  if (layers === 0)
    return instructions.map(({ keyword, rest }) => ({
      created_by: `${keyword} ${rest}`.slice(0, 4096),
      comment: 'buildkit.dockerfile.v0',
      empty_layer: true,
    }));
  let left = layers;
  return history.slice(before).filter((entry) => entry.empty_layer === true || left-- > 0);
}
