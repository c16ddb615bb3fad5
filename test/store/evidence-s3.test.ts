import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { S3_REGION, type S3Service, startS3 } from '../../src/demo/services/s3.js';
import { digestOf } from '../../src/registry/digest.js';
import { S3EvidenceStore, type S3StoreOptions } from '../../src/store/evidence-s3.js';
import type { S3Settings } from '../../src/store/s3-settings.js';
import { evidenceContract } from './evidence-contract.js';

let server: S3Service;
let admin: S3Client;

beforeAll(async () => {
  server = await startS3();
  admin = new S3Client({ ...server, region: S3_REGION, forcePathStyle: true });
  login(server.credentials);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  admin.destroy();
  await server.stop();
});

/** As a worker has them: in its environment, for the SDK's own chain. */
function login(credentials: S3Service['credentials']): void {
  vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
}

function open(settings: Partial<S3Settings>, options?: S3StoreOptions): S3EvidenceStore {
  const { endpoint } = server;
  const store = new S3EvidenceStore(
    { bucket: 'none', prefix: '', region: null, endpoint, pathStyle: true, encryption: null, ...settings },
    options,
  );
  onTestFinished(() => store.close());
  return store;
}

async function fresh(settings: Partial<S3Settings> = {}, options?: S3StoreOptions) {
  const bucket = `evidence-${randomUUID()}`;
  await admin.send(new CreateBucketCommand({ Bucket: bucket }));
  return open({ bucket, ...settings }, options);
}

const bucketOf = (store: S3EvidenceStore): string => new URL(store.locate('k')).host;

describe('the evidence bucket', () => {
  evidenceContract(() => fresh());

  it('says where a key lies, and keeps to its prefix', async () => {
    const store = await fresh({ prefix: 'image-factory/prod' });
    const bucket = bucketOf(store);
    await store.put('runs/1/report.json', '{}');
    expect(store.locate('runs/1/report.json')).toBe(`s3://${bucket}/image-factory/prod/runs/1/report.json`);
    await admin.send(
      new PutObjectCommand({ Bucket: bucket, Key: 'image-factory/production/other', Body: 'x' }),
    );
    await admin.send(new PutObjectCommand({ Bucket: bucket, Key: 'image-factory/prod/not ours', Body: 'x' }));
    expect(await store.list('')).toEqual(['runs/1/report.json']);
    expect(await open({ bucket, prefix: 'image-factory' }).list('prod')).toHaveLength(2);
  });

  it('says what an object is, and that its bytes are those that were sent', async () => {
    const store = await fresh();
    const types = {
      'r.html': 'text/html; charset=utf-8',
      'r.json': 'application/json',
      r: 'application/octet-stream',
    };
    for (const [key, type] of Object.entries(types)) {
      await store.put(key, 'bytes');
      const head = await admin.send(
        new HeadObjectCommand({ Bucket: bucketOf(store), Key: key, ChecksumMode: 'ENABLED' }),
      );
      expect(head.ContentType).toBe(type);
      const digest = Buffer.from(head.ChecksumSHA256 ?? '', 'base64').toString('hex');
      expect(`sha256:${digest}`).toBe(digestOf('bytes'));
    }
  });

  it('says that an object was damaged where it lies', async () => {
    const store = await fresh({ prefix: 'p' });
    await store.put('k', 'written');
    await writeFile(join(server.storage, bucketOf(store), 'p/k'), 'wrItten');
    await expect(store.get('k')).rejects.toMatchObject({
      type: 'TransferCorrupt',
      message: expect.stringContaining(`${store.locate('k')} is not what was written (ChecksumMismatch)`),
    });
    await store.put('k', 'written');
    expect(String(await store.get('k'))).toBe('written');
  });

  it('takes nothing for encrypted of which this server does not say so', async () => {
    const store = await fresh({ encryption: { algorithm: 'AES256', kmsKeyId: null } });
    const refused = {
      type: 'EvidenceRefused',
      message: expect.stringContaining('does not say that it encrypted'),
    };
    await expect(store.put('k', 'bytes')).rejects.toMatchObject(refused);
    await expect(store.putOnce('once', 'bytes')).rejects.toMatchObject(refused);
  });

  it('lists more keys than fit into one answer', async () => {
    const store = await fresh();
    const keys = Array.from({ length: 1005 }, (_, index) => `runs/${String(index).padStart(4, '0')}`);
    for (let start = 0; start < keys.length; start += 50)
      await Promise.all(keys.slice(start, start + 50).map((key) => store.put(key, '')));
    expect(await store.list('runs/')).toEqual(keys);
  });

  it('reads and writes nothing that is larger than evidence may be', async () => {
    const store = await fresh();
    const small = open({ bucket: bucketOf(store) }, { maxBytes: 1000 });
    await store.put('k', Buffer.alloc(1001));
    const said = {
      type: 'EvidenceUnavailable',
      message: `${store.locate('k')} has 1001 bytes, and evidence may have 1000: see what wrote it.`,
    };
    await expect(small.get('k')).rejects.toMatchObject(said);
    await expect(small.put('k', Buffer.alloc(1001))).rejects.toMatchObject(said);
    await small.put('k', Buffer.alloc(1000));
    expect(await small.get('k')).toHaveLength(1000);
  });

  it('refuses a key that S3 could not hold', async () => {
    const store = await fresh({ prefix: 'p'.repeat(200) });
    const key = Array.from({ length: 5 }, () => 'k'.repeat(190)).join('/');
    await expect(store.put(key, '')).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('shorter S3_PREFIX'),
    });
  });
});
