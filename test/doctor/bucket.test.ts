import { expect, it, onTestFinished, vi } from 'vitest';
import { startS3 } from '../../src/demo/services/s3.js';
import { examine } from '../../src/doctor/examine.js';

/** What doctor says of the reports; everything else has its own tests, and no server here. */
async function reports(env: Record<string, string>) {
  const results = await examine(
    { scan: false },
    { HOME: '/nowhere', PATH: process.env.PATH ?? '', ...env },
    5000,
  );
  return results.find(({ check }) => check === 'reports');
}

it('writes, reads and lists in the bucket, and says what to mend', async () => {
  const s3 = await startS3({ buckets: ['reports'] });
  vi.stubEnv('AWS_ACCESS_KEY_ID', s3.credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3.credentials.secretAccessKey);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await s3.stop();
  });
  const env = { S3_BUCKET: 'reports', AWS_ENDPOINT_URL_S3: s3.endpoint };
  expect(await reports(env)).toEqual({
    check: 'reports',
    status: 'ok',
    found: 'S3_BUCKET reports can be written, read and listed',
  });
  expect(await reports({ ...env, S3_BUCKET: 'reprots' })).toMatchObject({
    status: 'fail',
    found: expect.stringMatching(/^The S3 bucket reprots can't be written: .* has no bucket of this name/),
    mend: 'create it, or set S3_BUCKET to one that exists',
  });
  expect(await reports({ ...env, S3_BUCKET: 'Not_A_Bucket', S3_PREFIX: 'p' })).toMatchObject({
    status: 'warn',
    found: expect.stringContaining('S3_BUCKET'),
  });
});
