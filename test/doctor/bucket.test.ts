import { expect, it, onTestFinished, vi } from 'vitest';
import { startS3 } from '../../src/demo/services/s3.js';
import { examine } from '../../src/doctor/examine.js';
import { BUCKET, startSecuredS3 } from '../support/secured-s3.js';
import { TLS_HOST } from '../support/tls.js';

/** What doctor says of the reports; everything else has its own tests, and no server here. */
async function reports(env: Record<string, string>) {
  const base = { HOME: '/nowhere', PATH: process.env.PATH ?? '', SOURCE_REGISTRY: '127.0.0.1:1' };
  const results = await examine({ scan: false }, { ...base, ...env }, 5000);
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
  expect(await reports({ ...env, S3_SERVER_SIDE_ENCRYPTION: 'AES256' })).toMatchObject({
    status: 'fail',
    found: expect.stringMatching(/does not say that it encrypted s3:\/\/reports\/doctor\/probe\.txt$/),
    mend: expect.stringMatching(/^unset S3_SERVER_SIDE_ENCRYPTION/),
  });
  expect(await reports({ ...env, S3_BUCKET: 'Not_A_Bucket', S3_PREFIX: 'p' })).toMatchObject({
    status: 'warn',
    found: expect.stringContaining('S3_BUCKET'),
  });
});

it('trusts a bucket by EXTRA_CA_FILE, and says so where it is missing', async () => {
  const { port, extraCaFile } = await startSecuredS3([TLS_HOST]);
  const env = { S3_BUCKET: BUCKET, AWS_ENDPOINT_URL_S3: `https://${TLS_HOST}:${port}` };
  expect(await reports({ ...env, EXTRA_CA_FILE: extraCaFile })).toMatchObject({ status: 'ok' });
  expect(await reports(env)).toMatchObject({
    status: 'fail',
    found: expect.stringContaining('its certificate is not trusted here'),
    mend: 'give its authority in EXTRA_CA_FILE',
  });
}, 60_000);
