import { buffer } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { AlternateSources } from '../../src/registry/alternates.js';
import { digestOf } from '../../src/registry/digest.js';
import { atDigest, parseReference } from '../../src/registry/reference.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { context, publish } from '../mirror/side.js';
import { temporaryDirectory } from '../support/directory.js';
import { errorBody } from '../support/hostile-registry.js';
import { ref, twoPlatformImage } from '../support/images.js';
import { type LimitedRegistry, startLimited } from '../support/limited-registry.js';
import { startRegistry } from '../support/registry-server.js';
import { clientFor } from './kit.js';

const IMAGE = twoPlatformImage();
const { digest } = IMAGE.top.descriptor;

/** Three real registries, the first of which can be told to limit us; all hold the image, below prefixes of their own. */
async function threePlaces() {
  const [first, second, third] = await Promise.all([startRegistry(), startRegistry(), startRegistry()]);
  const hub: LimitedRegistry = await startLimited(first.host);
  onTestFinished(async () => {
    await hub.stop();
    await Promise.all([first.stop(), second.stop(), third.stop()]);
  });
  const prefixes = [hub.host, `${second.host}/gar/docker`, `${third.host}/public`];
  const client = clientFor();
  const named = prefixes.map((prefix) => ref(`${prefix}/harness/ci-addon:1`));
  for (const reference of named) await publish(client, reference, IMAGE);
  const [planned = ref('x')] = named;
  return { hub, second, third, prefixes, client, planned, source: new AlternateSources(client, prefixes) };
}

const asked = (client: ReturnType<typeof clientFor>, host: string): number =>
  client.stats().find((one) => one.host === host)?.requests ?? 0;

describe('the same digest at another place', () => {
  it('is taken when the planned place limits us in the middle of a run, and the limited one is left in peace', async () => {
    const { hub, client, planned, source } = await threePlaces();
    const content = await DirectoryContentStore.open(await temporaryDirectory());
    const fetcher = new SourceFetcher(source, content);
    const { signal } = context();
    await fetcher.manifest(planned, digest, signal);
    hub.limit({ retryAfterS: 3600 });
    const before = hub.limited();
    const tree = await fetcher.image(planned, digest, signal);
    for (const { layers } of tree.platforms)
      for (const layer of layers) await fetcher.layer(planned, layer, context());
    expect(tree.platforms).toHaveLength(2);
    for (const { layers } of tree.platforms)
      for (const layer of layers) expect(await content.has(layer.digest)).toBe(true);
    // Those that were under way at the first refusal; nothing after it.
    expect(hub.limited() - before).toBeLessThanOrEqual(2);
    expect(asked(client, hub.host)).toBeGreaterThan(0);
  });

  it('is taken when the planned place has lost it, and when it is down', async () => {
    const { hub, planned, source, second } = await threePlaces();
    const pinned = atDigest(planned, digest);
    hub.answer({ status: 404, body: errorBody('MANIFEST_UNKNOWN') });
    expect((await source.manifest(pinned))?.descriptor.digest).toBe(digest);
    await hub.stop();
    expect((await source.head(pinned))?.digest).toBe(digest);
    await second.stop();
    const [blob] = IMAGE.blobs;
    if (blob === undefined) throw new Error('the image has no blob');
    const stream = await source.blob(parseReference(planned), blob.descriptor);
    expect((await buffer(stream)).equals(blob.bytes)).toBe(true);
  });

  it('is not looked for by a tag: another place may hold another image under it', async () => {
    const { hub, planned, source } = await threePlaces();
    hub.limit({ retryAfterS: 3600 });
    await expect(source.head(planned)).rejects.toMatchObject({ type: 'RegistryRateLimited' });
  });

  it('is not looked for outside the list of sources', async () => {
    const { client, prefixes } = await threePlaces();
    const elsewhere = await startRegistry();
    onTestFinished(() => elsewhere.stop());
    const source = new AlternateSources(client, prefixes);
    const reference = atDigest(ref(`${elsewhere.host}/harness/ci-addon:1`), digest);
    expect(await source.manifest(reference)).toBeUndefined();
  });

  it('that the planned place does not have is missing, though another place lets us in to nothing', async () => {
    const { second, third, client, planned } = await threePlaces();
    const closed = await startLimited(second.host);
    onTestFinished(() => closed.stop());
    const source = new AlternateSources(client, [planned.split('/')[0] ?? '', closed.host, third.host]);
    const missing = atDigest(planned, digestOf(Buffer.from('nowhere')));
    for (const [status, code] of [
      [401, 'UNAUTHORIZED'],
      [403, 'DENIED'],
    ] as const) {
      closed.answer({ status, body: errorBody(code) });
      expect(await source.manifest(missing), code).toBeUndefined();
    }
    closed.limit({ retryAfterS: 3600 });
    await expect(source.manifest(missing)).rejects.toMatchObject({ type: 'RegistryRateLimited' });
  });

  it('that no place gives is what the planned place said', async () => {
    const { hub, second, third, planned, source } = await threePlaces();
    hub.limit({ retryAfterS: 3600 });
    await Promise.all([second.stop(), third.stop()]);
    await expect(source.manifest(atDigest(planned, digest))).rejects.toMatchObject({
      type: 'RegistryRateLimited',
      message: expect.stringContaining(hub.host),
    });
  });
});
