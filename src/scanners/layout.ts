import { copyFile, link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlatformImage } from '../mirror/fetch.js';
import { hexOf } from '../registry/digest.js';
import type { ContentStore } from '../store/content.js';
import { codeOf } from '../store/writers.js';

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

/**
 * Writes an OCI layout (image-spec, image-layout.md) with a single platform's manifest: Trivy takes the first manifest
 * of a layout and ignores `--platform`. Layers are hard links, since it refuses symbolic ones. They must be in the
 * content store, and leased.
 */
export async function writeLayout(
  directory: string,
  image: PlatformImage,
  config: Buffer,
  content: ContentStore,
): Promise<void> {
  const blobs = join(directory, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const index = { schemaVersion: 2, manifests: [image.manifest.descriptor] };
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
  await writeFile(join(blobs, hexOf(image.manifest.descriptor.digest)), image.manifest.bytes);
  await writeFile(join(blobs, hexOf(image.config.digest)), config);
  for (const digest of new Set(image.layers.map((layer) => layer.digest)))
    await linkOrCopy(content.pathOf(digest), join(blobs, hexOf(digest)));
}
