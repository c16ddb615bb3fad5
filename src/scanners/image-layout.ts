import { constants, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlatformImage } from '../mirror/fetch.js';
import { hexOf } from '../registry/digest.js';
import { OCI_INDEX } from '../registry/media-types.js';
import { parsePlatform } from '../registry/platform.js';
import type { ContentStore } from '../store/content.js';

/**
 * Writes an OCI layout (image-spec, image-layout.md) of one platform with the image's own manifest, config and layers, byte
 * for byte, for a program of someone else's. Layers must be in the content store, and leased.
 *
 * They are copies (where the file system can, they share their blocks until one is written to), never the links of
 * Trivy's layout: a link is the store's own file, modes stop neither its owner nor root, and what a program wrote into it
 * would be in other images and scans before anybody looked. Copying takes a tenth of what unpacking the layers takes a
 * scanner.
 */
export async function writeImageLayout(
  directory: string,
  image: PlatformImage,
  config: Buffer,
  content: ContentStore,
  signal: AbortSignal,
): Promise<void> {
  const blobs = join(directory, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const { manifest } = image;
  await writeFile(join(blobs, hexOf(manifest.descriptor.digest)), manifest.bytes);
  await writeFile(join(blobs, hexOf(image.config.digest)), config);
  for (const digest of new Set(image.layers.map((layer) => layer.digest))) {
    signal.throwIfAborted();
    await copyFile(content.pathOf(digest), join(blobs, hexOf(digest)), constants.COPYFILE_FICLONE);
  }
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const { mediaType, digest, size } = manifest.descriptor;
  const index = {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [{ mediaType, digest, size, platform: parsePlatform(image.platform) }],
  };
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
}
