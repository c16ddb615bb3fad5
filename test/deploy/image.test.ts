import { execFileSync } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { few, openFactory } from '../integration/factory.js';
import { temporaryDirectory } from '../support/directory.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { compose, ROOT } from './compose.js';
import { buildImages, STACK, stackVariables, WORKER_IMAGE } from './images.js';

// The first time compose and a Debian base are made as well.
const BUILT_WITHIN_MS = 900_000;
const STARTED_WITHIN_MS = 300_000;

let engine: DockerEngine;
beforeAll(async () => {
  engine = await startDockerEngine();
  await buildImages(engine);
}, BUILT_WITHIN_MS);
afterAll(() => engine?.stop());

describe('the image', () => {
  it('is no root’s, says what it is, and knows when it is healthy', async () => {
    const { Config } = imageSchema.parse(await engine.ask('GET', `/images/${WORKER_IMAGE}/json`));
    expect(Config).toMatchObject({ User: '10001:10001', StopSignal: 'SIGTERM' });
    expect(Config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'harness-ci-image-factory',
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
    expect(Config.Healthcheck.Test[0]).toBe('CMD-SHELL');
  });

  it(
    'does a whole run with nothing but its folders writable, and ends in order when it is told to',
    async () => {
      const factory = await openFactory({ images: few, withoutWorker: true });
      const { PATH: _path, HOME: _home, ...env } = factory.env;
      const settings = {
        ...env,
        CONTENT_DIR: '/var/lib/image-factory/content',
        REPORT_DIR: '/var/lib/image-factory/reports',
        TRIVY_CACHE_DIR: '/var/lib/image-factory/trivy',
        TEMPLATE_DIR: '/etc/image-factory/templates',
      };
      const container = idSchema.parse(
        await engine.ask('POST', '/containers/create', {
          Image: WORKER_IMAGE,
          Env: Object.entries(settings).map(([name, value]) => `${name}=${value}`),
          HostConfig: {
            NetworkMode: 'host',
            Init: true,
            ReadonlyRootfs: true,
            CapDrop: ['ALL'],
            SecurityOpt: ['no-new-privileges'],
            Tmpfs: { '/tmp': '' },
            Binds: [
              `${ROOT}test/integration/templates:/etc/image-factory/templates:ro`,
              ...['content', 'reports', 'trivy'].map((name) => `run-${name}:/var/lib/image-factory/${name}`),
            ],
          },
        }),
      ).Id;
      await engine.ask('POST', `/containers/${container}/start`);
      const result: unknown = await (await factory.start('imageFactory')).result();
      expect(result).toMatchObject({ counts: { mirrored: 2 } });
      await engine.ask('POST', `/containers/${container}/stop?t=60`);
      const { State } = containerSchema.parse(await engine.ask('GET', `/containers/${container}/json`));
      expect(State).toMatchObject({ Status: 'exited', ExitCode: 0, OOMKilled: false });
    },
    STARTED_WITHIN_MS,
  );
});

describe('docker compose up', () => {
  it(
    'brings up the stack until the worker is healthy',
    async () => {
      const deploy = await temporaryDirectory();
      await mkdir(join(deploy, 'secrets'));
      await cp(`${ROOT}deploy/init-secrets.sh`, join(deploy, 'init-secrets.sh'));
      execFileSync('sh', [join(deploy, 'init-secrets.sh')], {
        env: { PATH: process.env.PATH, HARNESS_API_KEY: 'pat.account.token.secret' },
      });
      const variables = { ...(await stackVariables()), SECRETS: join(deploy, 'secrets') };
      const run = (...args: string[]) => compose(args, { files: STACK, engine, env: variables });
      onTestFinished(() => run('down', '--volumes', '--timeout', '5').then(() => undefined), 60_000);
      await run('up', '--no-build', '--wait', 'worker');
      const states = (await run('ps', '--all', '--format', '{{.Service}} {{.State}} {{.Health}}'))
        .trim()
        .split('\n');
      expect(states.map((state) => state.trim()).sort()).toEqual([
        'registry running healthy',
        's3 running healthy',
        'setup exited',
        'temporal running healthy',
        'temporal-namespace exited',
        'worker running healthy',
      ]);
      // The bucket, with the secret that both ends are given.
      const put = `import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
        const client = new S3Client({ region: 'us-east-1', forcePathStyle: true });
        await client.send(new PutObjectCommand({ Bucket: process.env.S3_BUCKET, Key: 'tried', Body: 'x' }));
        console.log('stored');`;
      expect(await run('exec', '-T', 'worker', 'node', '--input-type=module', '--eval', put)).toBe(
        'stored\n',
      );
    },
    STARTED_WITHIN_MS,
  );
});

const imageSchema = z.object({
  Config: z.object({
    User: z.string(),
    StopSignal: z.string(),
    Labels: z.record(z.string(), z.string()),
    Healthcheck: z.object({ Test: z.array(z.string()) }),
  }),
});
const idSchema = z.object({ Id: z.string() });
const containerSchema = z.object({
  State: z.object({ Status: z.string(), ExitCode: z.number(), OOMKilled: z.boolean() }),
});
