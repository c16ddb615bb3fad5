import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { FailureType } from '../../src/contract/failure.js';
import { S3_REGION, startS3 } from '../../src/demo/services/s3.js';
import { freePort } from '../../src/demo/services/service.js';
import { digestOf } from '../../src/registry/digest.js';
import { S3EvidenceStore, type S3StoreOptions } from '../../src/store/evidence-s3.js';
import type { S3Settings } from '../../src/store/s3-settings.js';

const KEY_ID = 'AKIACANARYCANARY';
const SECRET = 'c4n4ry/s3cret+key';

beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', KEY_ID);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', SECRET);
  onTestFinished(() => void vi.unstubAllEnvs());
});

function open(settings: Partial<S3Settings>, options?: S3StoreOptions): S3EvidenceStore {
  const store = new S3EvidenceStore(
    {
      bucket: 'reports',
      prefix: '',
      region: null,
      endpoint: null,
      pathStyle: true,
      encryption: null,
      ...settings,
    },
    options,
  );
  onTestFinished(() => store.close());
  return store;
}

/** A server that answers as one of AWS or of somebody else would: the real one here does not go wrong on demand. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return `http://127.0.0.1:${port}`;
}

const fault = (code: string, extra = ''): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>of ${KEY_ID}, ${SECRET}</Message>${extra}` +
  `<AWSAccessKeyId>${KEY_ID}</AWSAccessKeyId><StringToSign>${SECRET}</StringToSign></Error>`;

const messageOf = (action: Promise<unknown>, type: FailureType = 'EvidenceUnavailable'): Promise<string> =>
  action.then(
    () => 'it went well',
    (error: { type: string; message: string; cause?: unknown }) => {
      expect(`${error.type}: ${error.message}`).toContain(`${type}: `);
      expect(error.cause).toBeUndefined(); // what AWS says of a signature must not reach Temporal's history
      return error.message;
    },
  );

describe('what goes wrong with a bucket is said in one sentence', () => {
  it('no bucket, and credentials that are not accepted, by a real server', async () => {
    const server = await startS3();
    onTestFinished(server.stop);
    const host = server.address;
    const denied = await messageOf(open({ endpoint: server.endpoint }).get('k'), 'EvidenceRefused');
    expect(denied).toMatch(
      /^The S3 bucket reports can't be read: .* does not accept the AWS credentials \(XAdminUserNotFound.*\); check those that the worker has\.$/,
    );
    vi.stubEnv('AWS_ACCESS_KEY_ID', server.credentials.accessKeyId);
    const wrong = await messageOf(open({ endpoint: server.endpoint }).put('k', ''), 'EvidenceRefused');
    expect(wrong).toContain("can't be written: ");
    expect(wrong).toContain('(SignatureDoesNotMatch');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', server.credentials.secretAccessKey);
    const store = open({ endpoint: server.endpoint });
    for (const [act, what] of [
      [() => store.get('k'), 'read'],
      [() => store.put('k', ''), 'written'],
      [() => store.putOnce('k', ''), 'written'],
      [() => store.list(''), 'listed'],
    ] as const)
      expect(await messageOf(act(), 'EvidenceRefused')).toMatch(
        new RegExp(
          `^The S3 bucket reports can't be ${what}: ${host} has no bucket of this name \\(NoSuchBucket.*\\); create it, or set S3_BUCKET to one that exists\\.$`,
        ),
      );
    const admin = new S3Client({ ...server, region: S3_REGION, forcePathStyle: true });
    await admin.send(new CreateBucketCommand({ Bucket: 'reports' }));
    admin.destroy();
    expect(await store.get('k')).toBeUndefined();
    expect(
      await messageOf(open({ endpoint: server.endpoint, region: 'eu-west-1' }).get('k'), 'EvidenceRefused'),
    ).toMatch(/another region|the region us-east-1/);
  });

  it.each([
    [
      403,
      'AccessDenied',
      '',
      'may not do that (AccessDenied, request 4442587FB7D0A2F9); allow them s3:GetObject',
    ],
    [301, 'PermanentRedirect', '', 'it is in the region eu-central-1 (PermanentRedirect'],
    [400, 'AuthorizationHeaderMalformed', '<Region>eu-central-1</Region>', 'set AWS_REGION to eu-central-1'],
    [403, 'RequestTimeTooSkewed', '', 'the clock of this machine is wrong'],
    [403, 'InvalidAccessKeyId', '', 'does not accept the AWS credentials'],
    [403, 'ExpiredToken', '', 'does not accept the AWS credentials'],
    [400, 'KMS.DisabledException', '', 'check S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID'],
    [501, 'NotImplemented', '', 'leave out S3_SERVER_SIDE_ENCRYPTION'],
    [503, 'SlowDown', '', 'is busy (SlowDown'],
    [418, 'SomethingElse', '', 'answered 418 (SomethingElse'],
  ])('%i %s', async (status, code, extra, said) => {
    const endpoint = await serve((_request, response) => {
      response.writeHead(status, {
        'x-amz-request-id': '4442587FB7D0A2F9',
        'x-amz-bucket-region': 'eu-central-1',
      });
      response.end(fault(code, extra));
    });
    const passing = status === 503 || status === 418;
    const type = passing ? 'EvidenceUnavailable' : 'EvidenceRefused';
    const message = await messageOf(open({ endpoint }).put('k', 'bytes'), type);
    expect(message).toContain(said);
    expect(message).not.toMatch(/AKIA|c4n4ry|X-Amz/);
  });

  it('nobody there, a name that is none, no region, no credentials', async () => {
    const host = `127.0.0.1:${await freePort()}`;
    expect(await messageOf(open({ endpoint: `http://${host}` }).get('k'))).toBe(
      `The S3 bucket reports can't be read: ${host} can't be reached (ECONNREFUSED); check AWS_ENDPOINT_URL_S3, HTTPS_PROXY and the network.`,
    );
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION', 'AWS_PROFILE'])
      vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
    expect(await messageOf(open({}).get('k'), 'EvidenceRefused')).toContain(
      'its region is not known (RegionMissing); set AWS_REGION.',
    );
    expect(await messageOf(open({ endpoint: `http://${host}` }).get('k'), 'EvidenceRefused')).toContain(
      'no AWS credentials were found',
    );
  });

  it('a server that says nothing, and one that stops in the middle', async () => {
    const silent = await serve(() => {});
    const asked = open({ endpoint: silent }, { withinMs: 300 }).get('k');
    expect(await messageOf(asked)).toContain('did not answer in time (TimeoutError)');
    const half = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half');
    });
    expect(await messageOf(open({ endpoint: half }, { withinMs: 300 }).get('k'))).toContain(
      'did not answer in time',
    );
    const gone = new AbortController();
    const stopped = open({ endpoint: half }).get('k', gone.signal);
    setImmediate(() => gone.abort(new Error('gone')));
    await expect(stopped).rejects.toThrow('gone');
  });

  it('a connection that ends in the middle of the bytes', async () => {
    const endpoint = await serve((_request, response) => {
      const checksum = Buffer.from(digestOf('whole').slice('sha256:'.length), 'hex').toString('base64');
      response.writeHead(200, { 'x-amz-checksum-sha256': checksum, 'content-length': '1000' });
      response.write('half', () => response.destroy());
    });
    expect(await messageOf(open({ endpoint }).get('k'))).toMatch(
      /can't be read: .*; check AWS_ENDPOINT_URL_S3/,
    );
  });

  it('bytes that are not those that were stored', async () => {
    const endpoint = await serve((_request, response) => {
      const checksum = Buffer.from(digestOf('written').slice('sha256:'.length), 'hex').toString('base64');
      response.writeHead(200, { 'x-amz-checksum-sha256': checksum, 'content-length': '7' });
      response.end('wrItten');
    });
    expect(await messageOf(open({ endpoint }).get('k'), 'TransferCorrupt')).toContain(
      's3://reports/k is not what was written (ChecksumMismatch)',
    );
  });
});

describe('writing once on a server', () => {
  /** Holds one object, and answers a conditional write in its way. */
  const conditional = async (onCondition: (write: () => void) => number) => {
    const seen: string[] = [];
    let held: string | undefined;
    const endpoint = await serve((request, response) => {
      const condition = request.headers['if-none-match'];
      seen.push(`${request.method}${condition === undefined ? '' : ` ${condition}`}`);
      let status = 200;
      if (request.method === 'GET') status = held === undefined ? 404 : 200;
      else if (condition === '*')
        status = onCondition(() => {
          held = 'theirs';
        });
      else held = 'ours';
      response.statusCode = status;
      response.end(status === 404 ? fault('NoSuchKey') : status === 200 ? held : fault('SomeFault'));
    });
    return { store: open({ endpoint }), seen };
  };

  it('that knows no conditions (501): reads, then writes', async () => {
    const { store, seen } = await conditional(() => 501);
    expect(await store.putOnce('k', 'ours')).toEqual({ key: 'k', digest: digestOf('ours') });
    expect(seen.slice(0, 2)).toEqual(['GET', 'PUT *']);
    expect(seen.slice(-2)).toEqual(['GET', 'PUT']);
    expect(await store.putOnce('k', 'late')).toEqual({ key: 'k', digest: digestOf('ours') });
    expect(seen.at(-1)).toBe('GET');
  });

  it('where another was first (412), or is at it (409): tells what is there', async () => {
    let tries = 0;
    const { store, seen } = await conditional((theirs) => {
      tries += 1;
      if (tries === 1) return 409;
      theirs();
      return 412;
    });
    expect(await store.putOnce('k', 'ours')).toEqual({ key: 'k', digest: digestOf('theirs') });
    expect(seen).toEqual(['GET', 'PUT *', 'GET', 'PUT *', 'GET']);
  });

  it('asks for encryption as it is set', async () => {
    const headers: unknown[] = [];
    const endpoint = await serve((request, response) => {
      headers.push({
        algorithm: request.headers['x-amz-server-side-encryption'],
        key: request.headers['x-amz-server-side-encryption-aws-kms-key-id'],
      });
      response.writeHead(200, {
        'x-amz-server-side-encryption': request.headers['x-amz-server-side-encryption'],
      });
      response.end();
    });
    await open({ endpoint, encryption: { algorithm: 'aws:kms', kmsKeyId: 'alias/reports' } }).put(
      'k',
      'bytes',
    );
    await open({ endpoint, encryption: { algorithm: 'AES256', kmsKeyId: null } }).put('k', 'bytes');
    expect(headers).toEqual([{ algorithm: 'aws:kms', key: 'alias/reports' }, { algorithm: 'AES256' }]);
  });
});
