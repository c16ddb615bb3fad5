import { access, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Client, Connection } from '@temporalio/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startRegistry } from '../../src/demo/services/registry.js';
import { S3_REGION, startS3 } from '../../src/demo/services/s3.js';
import { startTemporal } from '../../src/demo/services/temporal.js';
import { temporaryDirectory } from './fake-tools.js';

describe('startRegistry', () => {
  it('gives a registry that takes uploads, and leaves nothing when it stops', async () => {
    const registry = await startRegistry();
    onTestFinished(registry.stop);
    const upload = await fetch(`http://${registry.address}/v2/team/app/blobs/uploads/`, { method: 'POST' });
    expect(upload.status).toBe(202);
    await access(registry.storage);
    await registry.stop();
    await expect(access(registry.storage)).rejects.toThrow('ENOENT');
    await expect(fetch(`http://${registry.address}/v2/`)).rejects.toThrow();
  });

  it('keeps what it holds when it was given a directory', async () => {
    const storage = await temporaryDirectory();
    const registry = await startRegistry({ storage });
    await fetch(`http://${registry.address}/v2/team/app/blobs/uploads/`, { method: 'POST' });
    await registry.stop();
    await access(`${storage}/docker`);
  });

  it('fails with what it printed when its port is taken', async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, '127.0.0.1', () => {
        const address = other.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    onTestFinished(() => void other.close());
    await expect(startRegistry({ port })).rejects.toMatchObject({
      type: 'ServiceFailed',
      message: expect.stringContaining('address already in use'),
    });
  });

  it('fails at once with a program that is not there', async () => {
    await expect(startRegistry({ program: 'no-such-registry' })).rejects.toMatchObject({
      type: 'ServiceFailed',
    });
  });
});

describe('startS3', () => {
  it('gives a server with its buckets, and leaves nothing when it stops', async () => {
    const s3 = await startS3({ buckets: ['one', 'two'] });
    onTestFinished(s3.stop);
    expect((await readdir(s3.storage)).toSorted()).toEqual(['one', 'two']);
    expect((await fetch(`${s3.endpoint}/one`)).status).toBe(403);
    await s3.stop();
    await expect(access(s3.storage)).rejects.toThrow('ENOENT');
    await expect(fetch(s3.endpoint)).rejects.toThrow();
  });

  it('keeps what it holds when it was given a directory, and starts again on it', async () => {
    const storage = await temporaryDirectory();
    for (const object of ['first', 'second']) {
      const s3 = await startS3({ storage, buckets: ['one'] });
      const client = new S3Client({ ...s3, region: S3_REGION, forcePathStyle: true });
      await client.send(new PutObjectCommand({ Bucket: 'one', Key: object, Body: 'bytes' }));
      expect((await client.send(new ListObjectsV2Command({ Bucket: 'one' }))).KeyCount).toBe(
        object === 'first' ? 1 : 2,
      );
      client.destroy();
      await s3.stop();
    }
    await access(`${storage}/one`);
  });
});

describe('startTemporal', () => {
  it('gives a server whose namespace and Web UI answer, and which keeps histories in a file', async () => {
    const dbFile = `${await temporaryDirectory()}/temporal.db`;
    const temporal = await startTemporal({ dbFile, namespace: 'factory' });
    onTestFinished(temporal.stop);
    const connection = await Connection.connect({ address: temporal.address });
    onTestFinished(() => connection.close());
    const client = new Client({ connection, namespace: 'factory' });
    await client.workflow.start('nobodyRunsIt', { taskQueue: 'none', workflowId: 'one' });
    expect((await client.workflow.getHandle('one').describe()).status.name).toBe('RUNNING');
    expect((await fetch(`${temporal.ui}/`)).status).toBe(200);
    await access(dbFile);
  });
});
