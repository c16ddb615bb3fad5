import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { startS3 } from '../../src/demo/services/s3.js';
import { temporaryDirectory } from './directory.js';
import { createAuthority } from './tls.js';

export const BUCKET = 'reports';

/**
 * A real S3 server for the running test, with a bucket, and a certificate of an authority that nobody knows. Its login
 * is in this process's environment, where AWS's SDK looks.
 *
 * @param names what the certificate is for
 * @returns its port, and a file with the authority, for `EXTRA_CA_FILE`
 */
export async function startSecuredS3(
  names: readonly string[],
): Promise<{ port: number; extraCaFile: string }> {
  const [directory, authority] = await Promise.all([temporaryDirectory(), createAuthority()]);
  const { certificate, key } = await authority.issue({ names });
  const tls = { certificate: join(directory, 'tls.pem'), key: join(directory, 'tls.key') };
  const extraCaFile = join(directory, 'authorities.pem');
  await writeFile(tls.certificate, certificate);
  await writeFile(tls.key, key);
  await writeFile(extraCaFile, authority.certificate);
  const s3 = await startS3({ buckets: [BUCKET], tls });
  vi.stubEnv('AWS_ACCESS_KEY_ID', s3.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3.credentials.secretAccessKey);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await s3.stop();
  });
  return { port: Number(s3.address.split(':')[1]), extraCaFile };
}
