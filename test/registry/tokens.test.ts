import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { anonymous, targetCredentials } from '../../src/registry/credentials.js';
import { parseReference } from '../../src/registry/reference.js';
import { CHUNK_BYTES } from '../../src/registry/traits.js';
import type { BlobPart } from '../../src/registry/types.js';
import { temporaryDirectory } from '../support/directory.js';
import { DISTRIBUTIONS } from '../support/distributions.js';
import { startRegistry, TEST_LOGIN } from '../support/registry-server.js';
import { startTokenServer, type TokenServer } from '../support/token-server.js';
import { blobOf, clientFor, imageOf, referenceTo } from './kit.js';

async function guarded(program: string) {
  const tokens = await startTokenServer(await temporaryDirectory(), TEST_LOGIN);
  const registry = await startRegistry({ program, configuration: { auth: tokens.auth } });
  onTestFinished(async () => {
    await registry.stop();
    await tokens.stop();
  });
  const client = clientFor({ credentials: targetCredentials(registry.host, TEST_LOGIN, anonymous) });
  const at = (path: string) => parseReference(`${registry.host}/${path}`);
  return { tokens, registry, client, at };
}

const streamOf = (bytes: Buffer | string) => (): Readable =>
  Readable.from([Buffer.from(bytes)], { objectMode: false });
const scopesOf = ({ seen }: TokenServer): string[][] => seen.map(({ scopes }) => scopes);

describe.each(DISTRIBUTIONS)('a registry with a token server (%s)', (program) => {
  it('gets one token a repository for a whole push, and one more for a mount', async () => {
    const { tokens, registry, client, at } = await guarded(program);
    const [config, layer] = ['{}', 'layer'];
    for (const bytes of [config, layer]) await client.ensureBlob(at('a'), blobOf(bytes), streamOf(bytes), {});
    await client.putManifest(referenceTo(`${registry.host}/a:1`), imageOf(config, layer));
    expect(await client.ensureBlob(at('b'), blobOf(layer), streamOf(layer), { mountFrom: at('a') })).toEqual({
      how: 'mounted',
    });
    expect(scopesOf(tokens)).toEqual([
      ['repository:a:pull,push'],
      ['repository:b:pull,push', 'repository:a:pull'],
    ]);
    expect(tokens.seen.every(({ login }) => login)).toBe(true);
  });

  it('is sent the blob where its token server does not let us read the other repository', async () => {
    const { tokens, client, at } = await guarded(program);
    await client.ensureBlob(at('a'), blobOf('layer'), streamOf('layer'), {});
    tokens.withhold.push('repository:a:');
    const push = client.ensureBlob(at('b'), blobOf('layer'), streamOf('layer'), { mountFrom: at('a') });
    expect((await push).how).toMatch(/uploaded|mounted/);
    expect(await client.headBlob(at('b'), blobOf('layer').digest)).toBe(5);
  });

  it('that gives no right to push is said so, after one try', async () => {
    const { tokens, client, at } = await guarded(program);
    tokens.withhold.push('repository:a:');
    await expect(client.probePush(at('a'))).rejects.toMatchObject({ retryable: false });
    expect(tokens.seen.length).toBeLessThan(3);
  });

  it.each([
    ['that end when they say', { saidS: 2, trueS: 2 }],
    ['that end long before they say', { saidS: 60, trueS: 2 }],
  ])('takes an upload to its end over tokens %s', async (_, life) => {
    const { tokens, client, at } = await guarded(program);
    tokens.life = life;
    const bytes = randomBytes(2 * CHUNK_BYTES + 100);
    const begun = new Set<number>();
    // The passing of time is the matter here: the token that a part was begun with has ended when its bytes come.
    async function* slowly({ from, length }: BlobPart) {
      if (from > 0 && !begun.has(from)) await delay(3000);
      begun.add(from);
      yield bytes.subarray(from, from + length);
    }
    const open = (part: BlobPart = { from: 0, length: bytes.length }): Readable =>
      Readable.from(slowly(part), { objectMode: false });
    expect(await client.ensureBlob(at('slow'), blobOf(bytes), open, {})).toEqual({ how: 'uploaded' });
    expect(await client.headBlob(at('slow'), blobOf(bytes).digest)).toBe(bytes.length);
    expect(tokens.seen.length).toBeGreaterThan(1);
  });
});
