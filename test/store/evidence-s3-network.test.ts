import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openBucket } from '../../src/worker/evidence.js';
import { startConnectProxy } from '../support/connect-proxy.js';
import { BUCKET, startSecuredS3 } from '../support/secured-s3.js';
import { TLS_HOST } from '../support/tls.js';

/** A name that no DNS knows: only a proxy leads there. */
const FAR = 's3.storage.invalid';

/** The bucket as a worker opens it. */
async function open(endpoint: string, extraCaFile: string | null, withinMs = 5000) {
  const settings = { bucket: BUCKET, prefix: 'p', region: null, endpoint, pathStyle: true };
  const store = await openBucket({ ...settings, encryption: null }, extraCaFile, withinMs);
  onTestFinished(() => store.close());
  return store;
}

describe('a bucket behind a certificate of a private authority', () => {
  it('is read, written and listed when EXTRA_CA_FILE has that authority', async () => {
    const { port, extraCaFile } = await startSecuredS3([FAR, TLS_HOST]);
    const store = await open(`https://${TLS_HOST}:${port}`, extraCaFile);
    await store.check();
    const { digest } = await store.put('runs/1/report.json', '{}');
    expect(String(await store.get('runs/1/report.json'))).toBe('{}');
    expect(await store.putOnce('runs/1/report.json', 'late')).toMatchObject({ digest });
    expect(await store.list('runs/')).toEqual(['runs/1/report.json']);
  });

  it('ends the step at once when nobody knows the authority', async () => {
    const { port } = await startSecuredS3([FAR, TLS_HOST]);
    const store = await open(`https://${TLS_HOST}:${port}`, null);
    await expect(store.get('k')).rejects.toMatchObject({
      type: 'CertificateNotTrusted',
      message: expect.stringMatching(
        /^The S3 bucket reports can't be read: \S+ could not be reached: its certificate is not trusted here \(\w+\): give its authority in EXTRA_CA_FILE\.$/,
      ),
    });
  });
});

describe('a bucket behind HTTPS_PROXY', () => {
  it('is reached through it, whatever its name', async () => {
    const { port, extraCaFile } = await startSecuredS3([FAR, TLS_HOST]);
    const proxy = await startConnectProxy(new Map([[`${FAR}:443`, port]]));
    onTestFinished(proxy.stop);
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    const store = await open(`https://${FAR}`, extraCaFile);
    await store.put('k', Buffer.alloc(3_000_000, 'x'));
    expect(await store.get('k')).toHaveLength(3_000_000);
    expect(await store.list('')).toEqual(['k']);
    expect(new Set(proxy.asked)).toEqual(new Set([`${FAR}:443`]));
  });

  it('is asked straight where NO_PROXY names it', async () => {
    const { port, extraCaFile } = await startSecuredS3([FAR, TLS_HOST]);
    const proxy = await startConnectProxy(new Map());
    onTestFinished(proxy.stop);
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    vi.stubEnv('NO_PROXY', `example.com,${TLS_HOST}`);
    await (await open(`https://${TLS_HOST}:${port}`, extraCaFile)).check();
    expect(proxy.asked).toEqual([]);
  });

  it('is told as unreachable when the proxy refuses, or is not there', async () => {
    const proxy = await startConnectProxy(new Map());
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIACANARYCANARY');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'c4n4ry');
    vi.stubEnv('HTTPS_PROXY', proxy.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect((await open(`https://${FAR}`, null)).check()).rejects.toMatchObject({
      type: 'EvidenceUnavailable',
      message: expect.stringContaining(
        `the proxy lets nothing through to ${FAR} (UND_ERR_ABORTED); check HTTPS_PROXY and NO_PROXY.`,
      ),
    });
    expect(proxy.asked).toEqual([`${FAR}:443`]);
    await proxy.stop();
    await expect((await open(`https://${FAR}`, null)).check()).rejects.toMatchObject({
      type: 'EvidenceUnavailable',
      message: expect.stringContaining(`${FAR} can't be reached (ECONNREFUSED)`),
    });
  });
});
