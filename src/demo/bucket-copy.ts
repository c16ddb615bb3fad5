import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import pLimit from 'p-limit';
import { S3_REGION, type S3Service } from './services/s3.js';

const OBJECTS_AT_ONCE = 8;

/**
 * Copies a bucket of the demo into a folder, since a browser opens no `s3://` and a report links to its evidence.
 *
 * @param signal ends the copy with its reason
 */
export async function copyBucket(
  { endpoint, credentials }: S3Service,
  bucket: string,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const client = new S3Client({ endpoint, credentials, region: S3_REGION, forcePathStyle: true });
  const copy = async (key: string): Promise<void> => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), {
      abortSignal: signal,
    });
    const path = join(directory, key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, (await Body?.transformToByteArray()) ?? '');
  };
  const limit = pLimit(OBJECTS_AT_ONCE);
  try {
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket })) {
      await Promise.all(Contents.map(({ Key = '' }) => limit(copy, Key)));
    }
  } finally {
    client.destroy();
  }
}
