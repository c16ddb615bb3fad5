import { execFileSync } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createAllowLists } from '../../src/config/allow-lists.js';
import { loadEnvironment } from '../../src/config/environment.js';
import { resolveSecret, Secret } from '../../src/config/secret.js';
import { temporaryDirectory } from '../support/directory.js';

const CANARY = 'c4n4ry-p4ssw0rd';

describe('the worker’s environment', () => {
  it('has a default for everything', () => {
    const environment = loadEnvironment({ HOME: '/home/me' });
    expect(environment).toMatchObject({
      registryCredentials: null,
      sourceRegistries: ['docker.io'],
      contentDir: '/home/me/.cache/harness-ci-image-factory/content',
      dockerConfigDir: '/home/me/.docker',
      reportDir: join(process.cwd(), 'reports'),
      s3: null,
      taskQueue: 'image-factory',
      trivy: { program: 'trivy', environment: {} },
    });
  });

  it('puts the content below XDG_CACHE_HOME when that is set', () => {
    expect(loadEnvironment({ XDG_CACHE_HOME: '/cache' }).contentDir).toBe(
      '/cache/harness-ci-image-factory/content',
    );
  });

  it('has no login that goes wherever a run’s registry is', () => {
    const login = { REGISTRY_USER: 'u', REGISTRY_PASSWORD: CANARY };
    expect(() => loadEnvironment(login)).toThrow(/REGISTRY or ALLOWED_REGISTRIES must say where/);
    expect(
      loadEnvironment({ ...login, ALLOWED_REGISTRIES: 'r.example.com' }).registryCredentials,
    ).not.toBeNull();
  });

  it('lets credential helpers see the clouds’ variables, and none of our own secrets', () => {
    const own = {
      REGISTRY: 'r.example.com',
      HARNESS_API_KEY: CANARY,
      REGISTRY_USER: 'u',
      REGISTRY_PASSWORD: CANARY,
      OTHER: CANARY,
    };
    const env = { ...own, ALLOWED_SECRETS: 'env:OTHER', PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'theirs' };
    const environment = loadEnvironment(env);
    expect(environment.helperEnvironment()).toMatchObject({ PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'theirs' });
    expect(JSON.stringify(environment.helperEnvironment())).not.toContain(CANARY);
    expect(inspect(environment, { depth: 9 })).not.toMatch(/theirs|c4n4ry/);
  });

  it.each([
    ['its own default', { HARNESS_API_KEY_SECRET: 'env:MY_KEY', MY_KEY: CANARY }],
    ['a pattern', { ALLOWED_SECRETS: 'env:HARNESS_*', HARNESS_PROD: CANARY, HARNESS_API_KEY: CANARY }],
    ['every variable', { ALLOWED_SECRETS: 'env:*', ANY: CANARY }],
    ['Temporal', { TEMPORAL_TLS_CLIENT_KEY_DATA: CANARY, TEMPORAL_GRPC_META_AUTHORIZATION: CANARY }],
  ])('keeps from credential helpers what is secret by %s', (_, own) => {
    const helper = loadEnvironment({ ...own, PATH: '/bin', HOME: '/home/me' }).helperEnvironment();
    expect(helper).toMatchObject({ PATH: '/bin', HOME: '/home/me' });
    expect(Object.values(helper)).not.toContain(CANARY);
  });

  it('takes a bucket, of AWS or of a server of one’s own', () => {
    expect(loadEnvironment({ S3_BUCKET: 'reports', AWS_REGION: 'eu-west-1' }).s3).toEqual({
      bucket: 'reports',
      prefix: '',
      region: 'eu-west-1',
      endpoint: null,
      pathStyle: false,
      encryption: null,
    });
    const own = {
      S3_BUCKET: 'reports',
      S3_PREFIX: '/image-factory/prod/',
      AWS_ENDPOINT_URL_S3: 'http://s3.example.com:9000/',
      S3_SERVER_SIDE_ENCRYPTION: 'aws:kms',
      S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID: 'alias/reports',
    };
    expect(loadEnvironment(own).s3).toEqual({
      bucket: 'reports',
      prefix: 'image-factory/prod',
      region: null,
      endpoint: 'http://s3.example.com:9000',
      pathStyle: true,
      encryption: { algorithm: 'aws:kms', kmsKeyId: 'alias/reports' },
    });
    expect(loadEnvironment({ ...own, S3_FORCE_PATH_STYLE: 'false' }).s3?.pathStyle).toBe(false);
    expect(
      loadEnvironment({ AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL_S3: 'https://s3.example.com' }).s3,
    ).toBeNull();
  });

  it.each([
    [{ S3_BUCKET: 'Not_A_Bucket' }, /S3_BUCKET must be the name of a bucket/],
    [{ S3_BUCKET: 's3://reports' }, /S3_BUCKET must be/],
    [{ S3_BUCKET: 'reports', S3_PREFIX: 'a/../b' }, /S3_PREFIX must be segments/],
    [{ S3_BUCKET: 'reports', S3_SERVER_SIDE_ENCRYPTION: 'kms' }, /must be AES256, aws:kms, aws:kms:dsse/],
    [
      { S3_BUCKET: 'reports', S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID: 'k' },
      /must go with S3_SERVER_SIDE_ENCRYPTION/,
    ],
    [
      { S3_PREFIX: 'prod', S3_SERVER_SIDE_ENCRYPTION: 'AES256' },
      /S3_PREFIX and S3_SERVER_SIDE_ENCRYPTION must not be set without S3_BUCKET/,
    ],
    [{ AWS_ENDPOINT_URL_S3: `https://user:${CANARY}@s3.example.com` }, /AWS_ENDPOINT_URL_S3 must be http/],
    [{ AWS_ENDPOINT_URL_S3: 'https://s3.example.com/reports' }, /AWS_ENDPOINT_URL_S3 must be http/],
    [{ AWS_ENDPOINT_URL_S3: 's3.example.com' }, /AWS_ENDPOINT_URL_S3 must be http/],
  ])('refuses %j', (env, said) => {
    expect(() => loadEnvironment(env)).toThrow(said);
    expect(() => loadEnvironment(env)).not.toThrow(new RegExp(CANARY));
  });

  it('hands Trivy the six names and no other', () => {
    const { trivy } = loadEnvironment({
      TRIVY_CACHE_DIR: '/db',
      TRIVY_SKIP_DB_UPDATE: 'true',
      TRIVY_SEVERITY: 'LOW',
      TRIVY_PASSWORD: CANARY,
    });
    expect(trivy.environment).toEqual({ TRIVY_CACHE_DIR: '/db', TRIVY_SKIP_DB_UPDATE: 'true' });
  });

  it('names every fault in one error, and shows no value', () => {
    const load = () =>
      loadEnvironment({
        CONTENT_MAX_GB: CANARY,
        SOURCE_REGISTRY: `docker.io,https://u:${CANARY}@r.example.com`,
        INSECURE_REGISTRIES: 'a b',
        REGISTRY_PASSWORD: CANARY,
        ALLOWED_SECRETS: CANARY,
      });
    expect(load).toThrow(/CONTENT_MAX_GB/);
    expect(load).toThrow(/SOURCE_REGISTRY entry 2/);
    expect(load).toThrow(/INSECURE_REGISTRIES entry 1/);
    expect(load).toThrow(/ALLOWED_SECRETS entry 1/);
    expect(load).toThrow(/REGISTRY_USER and REGISTRY_PASSWORD must be set together/);
    expect(load).not.toThrow(new RegExp(CANARY));
  });

  it('takes the registry’s password from a file, which no run may name as its key then', async () => {
    const path = join(await temporaryDirectory(), 'password');
    await writeFile(path, `${CANARY}\n`);
    const login = { REGISTRY: 'r.example.com', REGISTRY_USER: 'robot', REGISTRY_PASSWORD_FILE: path };
    expect(loadEnvironment(login).registryCredentials?.password.reveal()).toBe(CANARY);
    expect(() => loadEnvironment({ ...login, REGISTRY_PASSWORD: CANARY })).toThrow(/only one must be set/);
    expect(() => loadEnvironment({ REGISTRY_PASSWORD_FILE: path })).toThrow(/must be set together/);
    await writeFile(path, '\n');
    expect(() => loadEnvironment(login)).toThrow('there is nothing at REGISTRY_PASSWORD_FILE');
    const absent = { ...login, REGISTRY_PASSWORD_FILE: '/run/secrets/absent' };
    expect(() => loadEnvironment(absent)).toThrow(/REGISTRY_PASSWORD_FILE can't be read/);
  });

  it('shows no secret however it is printed', () => {
    const environment = loadEnvironment({
      REGISTRY: 'r.example.com',
      REGISTRY_USER: 'robot',
      REGISTRY_PASSWORD: CANARY,
      HARNESS_API_KEY: CANARY,
    });
    expect(environment.registryCredentials?.password.reveal()).toBe(CANARY);
    for (const text of [
      inspect(environment, { depth: 9, showHidden: true }),
      JSON.stringify(environment),
      `${environment.harnessApiKey}`,
    ])
      expect(text).not.toContain(CANARY);
  });
});

describe('a secret by reference', () => {
  const source = (allowedSecrets: string[], env: Record<string, string> = {}) => ({
    allowedSecrets,
    variable: (name: string) => (env[name] === undefined ? undefined : new Secret(env[name])),
  });

  it('comes from a file without its last line break', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'key');
    await writeFile(path, `${CANARY}\n`);
    const secret = await resolveSecret(`file:${path}`, source([`file:${directory}/*`]));
    expect(secret.reveal()).toBe(CANARY);
  });

  it('is refused when the worker does not list it, before anything is read', async () => {
    await expect(resolveSecret('env:AWS_SECRET', source(['env:HARNESS_API_KEY']))).rejects.toMatchObject({
      type: 'NotAllowed',
    });
    for (const path of ['/run/secrets/../../etc/passwd', '/run/secrets/a/b', '/run/secretsx'])
      await expect(resolveSecret(`file:${path}`, source(['file:/run/secrets/*']))).rejects.toThrow();
  });

  it('does not let the registry’s password go to Harness as a key', () => {
    const lists = createAllowLists(
      loadEnvironment({ REGISTRY: 'r.example.com', REGISTRY_USER: 'u', REGISTRY_PASSWORD: CANARY }),
    );
    expect(lists.secret('env:REGISTRY_PASSWORD')).toBe(false);
  });

  it('is never echoed when it turns out to be the key itself', async () => {
    await expect(resolveSecret(CANARY, source(['*']))).rejects.toThrow(/^(?!.*c4n4ry)/);
  });

  it('is neither a pipe, nor a folder, nor larger than 64 KiB, nor of two lines', async () => {
    const directory = await temporaryDirectory();
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    await writeFile(join(directory, 'large'), 'x'.repeat(64 * 1024 + 1));
    await writeFile(join(directory, 'lines'), `${CANARY}\nX-Other: 1\n`);
    await symlink('/proc', join(directory, 'folder'));
    for (const name of ['pipe', 'large', 'lines', 'folder', 'absent'])
      await expect(
        resolveSecret(`file:${directory}/${name}`, source([`file:${directory}/*`])),
        name,
      ).rejects.toMatchObject({ type: 'InvalidInput', message: expect.not.stringContaining(CANARY) });
  });
});
