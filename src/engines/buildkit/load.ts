import { z } from 'zod';
import { FactoryError } from '../../common/errors.js';
import type { Digest } from '../../contract/brand.js';
import { hexOf } from '../../registry/digest.js';
import type { Descriptor } from '../../registry/types.js';
import type { ContentStore } from '../../store/content.js';
import type { Daemon } from './daemon.js';
import { engineDiskFull, engineUnavailable, saysDaemonFault, saysDiskFull } from './docker-error.js';
import { messagesOf } from './messages.js';
import { plainText } from './plain-text.js';
import { tarOf } from './tar.js';

/** An image of one platform whose parts the content store has. */
export interface BaseImage {
  config: Buffer;
  configDigest: Digest;
  layers: readonly Descriptor[];
}

const messageSchema = z.object({ error: z.string().optional() });

/**
 * Gives the engine an image under a name, from the content store's bytes: config and layers as they lie there. What the
 * engine has by its config's digest is only named.
 *
 * @throws FactoryError `ImageUnsupported` when the engine can't read it; of the engine
 */
export async function loadBase(
  base: BaseImage,
  name: string,
  { daemon, content }: { daemon: Daemon; content: ContentStore },
  signal: AbortSignal,
): Promise<void> {
  const known = await daemon.image(base.configDigest, signal);
  if (known !== undefined && (await daemon.tag(known.Id, name, signal))) return;
  const fileOf = ({ digest }: Descriptor): string => `${hexOf(digest)}.tar`;
  const configName = `${hexOf(base.configDigest)}.json`;
  const manifest = Buffer.from(
    JSON.stringify([{ Config: configName, RepoTags: [name], Layers: base.layers.map(fileOf) }]),
  );
  const distinct = [...new Map(base.layers.map((layer) => [layer.digest, layer])).values()];
  const archive = tarOf([
    { path: configName, size: base.config.length, content: base.config },
    ...distinct.map((layer) => ({
      path: fileOf(layer),
      size: layer.size,
      content: () => content.open(layer.digest),
    })),
    { path: 'manifest.json', size: manifest.length, content: manifest },
  ]);
  await daemon.load(archive, signal, async (answer) => {
    for await (const { error } of messagesOf(answer, messageSchema)) {
      if (error === undefined) continue;
      if (saysDiskFull(error)) throw engineDiskFull(daemon.name);
      if (saysDaemonFault(error)) throw engineUnavailable(daemon.name, error);
      throw new FactoryError(
        'ImageUnsupported',
        `${daemon.name} can't read the image: ${plainText(error, 300)}`,
      );
    }
  });
}
