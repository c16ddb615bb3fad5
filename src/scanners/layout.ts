import { copyFile, link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Digest } from '../contract/brand.js';
import type { PlatformImage } from '../mirror/fetch.js';
import { digestOf, hexOf, isDigest } from '../registry/digest.js';
import { parseConfig } from '../registry/manifest.js';
import type { ContentStore } from '../store/content.js';
import { codeOf } from '../store/writers.js';

const anyObject = z.record(z.string(), z.unknown());

/** Where a hard link can't be made: another device, a file system without them, too many, not ours. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!NO_LINK.has(codeOf(error) ?? '')) throw error;
    await copyFile(from, to);
  }
}

/** Gives a report the image's own ids back, where Trivy has those of the layout that it read. */
export type RestoreIds = (report: Buffer) => Buffer;

/**
 * Writes an OCI layout (image-spec, image-layout.md) with a single platform's manifest: Trivy takes the first manifest
 * of a layout and ignores `--platform`. Layers are hard links, since it refuses symbolic ones. They must be in the
 * content store, and leased.
 *
 * The DiffIDs in it are not those of the image's config, but made from the layers' digests, which the content store has
 * checked. Trivy believes DiffIDs (0.76.0): it finds layers by them and files what it found under them. So an image that
 * names one twice, or too few, would hide a layer, and one that names another's would have that one's findings, or
 * leave its own for it.
 */
export async function writeLayout(
  directory: string,
  image: PlatformImage,
  config: Buffer,
  content: ContentStore,
): Promise<RestoreIds> {
  const claimed = parseConfig(config, image.manifest.descriptor.digest).rootfs?.diff_ids ?? [];
  const blobs = join(directory, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const write = async (value: object): Promise<{ digest: Digest; size: number }> => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    await writeFile(join(blobs, hexOf(digest)), bytes);
    return { digest, size: bytes.length };
  };
  const standIns = image.layers.map(({ digest }) => digestOf(`layer ${digest}`));
  const { mediaType } = image.manifest.descriptor;
  const ownConfig = await write({
    ...anyObject.parse(JSON.parse(config.toString('utf8'))),
    rootfs: { type: 'layers', diff_ids: standIns },
  });
  const layers = image.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
  const manifest = await write({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: image.config.mediaType, ...ownConfig },
    layers,
  });
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const index = { schemaVersion: 2, manifests: [{ mediaType, ...manifest }] };
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
  for (const digest of new Set(image.layers.map((layer) => layer.digest)))
    await linkOrCopy(content.pathOf(digest), join(blobs, hexOf(digest)));

  const originals = new Map<string, Digest>([[ownConfig.digest, image.config.digest]]);
  standIns.forEach((standIn, at) => {
    const original = claimed[at] ?? '';
    if (isDigest(original)) originals.set(standIn, original); // anything else could break the report's JSON
  });
  return (report) =>
    Buffer.from(
      report
        .toString('latin1') // byte for byte
        .replace(/sha256:[0-9a-f]{64}/g, (id) => originals.get(id) ?? id),
      'latin1',
    );
}
