import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TOOLS } from '../../src/demo/tools/catalog.js';
import { temporaryDirectory } from '../support/directory.js';
import { compose, ROOT } from './compose.js';

const serviceSchema = z.looseObject({
  image: z.string(),
  restart: z.string(),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  healthcheck: z
    .looseObject({ test: z.array(z.string()).optional(), disable: z.boolean().optional() })
    .optional(),
  depends_on: z.record(z.string(), z.looseObject({ condition: z.string() })).default({}),
  deploy: z.object({ resources: z.object({ limits: z.object({ cpus: z.number(), memory: z.string() }) }) }),
  ports: z.array(z.looseObject({ host_ip: z.string() })).default([]),
  secrets: z.array(z.looseObject({ source: z.string() })).default([]),
});
const stackSchema = z.object({
  services: z.record(z.string(), serviceSchema),
  secrets: z.record(z.string(), z.looseObject({ file: z.string() })),
});

const read = async (env: Record<string, string> = {}) =>
  stackSchema.parse(JSON.parse(await compose(['config', '--format', 'json'], { env })));

describe('docker-compose.yml, as Docker Compose reads it', () => {
  it('starts each service once what it needs is healthy or done', async () => {
    const { services } = await read();
    expect(
      Object.fromEntries(
        Object.entries(services).map(([name, { depends_on: needs }]) => [name, conditions(needs)]),
      ),
    ).toEqual({
      postgresql: {},
      'temporal-schema': { postgresql: 'service_healthy' },
      temporal: { 'temporal-schema': 'service_completed_successfully' },
      'temporal-namespace': { temporal: 'service_healthy' },
      'temporal-ui': { temporal: 'service_healthy' },
      registry: {},
      s3: {},
      setup: { 'temporal-namespace': 'service_completed_successfully' },
      worker: {
        setup: 'service_completed_successfully',
        registry: 'service_healthy',
        s3: 'service_healthy',
      },
    });
  });

  it('has a health check and a restart policy for each server, and a limit for everything', async () => {
    const { services } = await read();
    for (const [name, service] of Object.entries(services)) {
      const once = ['temporal-schema', 'temporal-namespace', 'setup'].includes(name);
      expect(service.restart, name).toBe(once ? 'on-failure:5' : 'unless-stopped');
      // The worker's is in its image.
      if (!once && name !== 'worker') expect(service.healthcheck?.test?.[0], name).toBe('CMD');
      expect(Number(service.deploy.resources.limits.memory), name).toBeGreaterThan(0);
    }
  });

  it('is open to this host alone', async () => {
    const { services } = await read();
    const ports = Object.values(services).flatMap(({ ports }) => ports);
    expect(ports).toHaveLength(3);
    for (const port of ports) expect(port.host_ip).toBe('127.0.0.1');
  });

  it('pins every image, those of our tools to the versions that the tests run', async () => {
    const { services } = await read();
    for (const [name, { image }] of Object.entries(services))
      expect(image, name).toMatch(/:(v?\d+\.\d+(\.\d+)?(-alpine)?|local)$/);
    expect(services.registry?.image).toBe(`registry:${TOOLS.registry.version}`);
    expect(services.s3?.image).toBe(`versity/versitygw:v${TOOLS.versitygw.version}`);
  });

  it('holds no password: they are files, which only those services get that need them', async () => {
    const { services, secrets } = await read();
    for (const { file } of Object.values(secrets)) expect(file).toMatch(/\/deploy\/secrets\/\w+$/);
    expect(Object.keys(services).filter((name) => services[name]?.secrets.length)).toEqual([
      'postgresql',
      's3',
      'temporal',
      'temporal-schema',
      'worker',
    ]);
    for (const { environment } of Object.values(services))
      for (const [name, value] of Object.entries(environment))
        if (/PASSWORD|PWD|SECRET|KEY/.test(name)) expect(value, name).toMatch(/^(file:)?\/run\/secrets\/|^$/);
  });

  it('takes the settings that .env.example names, and no other names are there', async () => {
    const example = await readFile(join(ROOT, '.env.example'), 'utf8');
    const names = [...example.matchAll(/^#([A-Z0-9_]+)=/gm)].map(([, name = '']) => name);
    // A port for each, since some are: none may be left out.
    const set = Object.fromEntries(names.map((name, index) => [name, `${47100 + index}`]));
    const text = JSON.stringify(await read(set));
    expect(names.filter((name) => !text.includes(set[name] ?? name))).toEqual([]);
  });

  it('keeps reports in its own S3 server, unless the endpoint and the keys are said to be AWS’s', async () => {
    const own = (await read()).services.worker?.environment;
    expect(own).toMatchObject({
      S3_BUCKET: 'image-factory',
      AWS_ENDPOINT_URL_S3: 'http://s3:7070',
      AWS_SHARED_CREDENTIALS_FILE: '/run/secrets/s3_credentials',
      NO_PROXY: 'registry,s3,temporal,',
    });
    expect(own?.AWS_REGION ?? null).toBeNull();
    const set = { S3_BUCKET: 'reports', AWS_ENDPOINT_URL_S3: '', AWS_SHARED_CREDENTIALS_FILE: '' };
    const { services } = await read(set);
    expect(services.worker?.environment).toMatchObject(set);
    expect(services.s3?.environment).toMatchObject({ S3_BUCKET: 'reports' });
  });
});

describe('deploy/init-secrets.sh', () => {
  it('makes random passwords once, takes the given ones, and closes the folder', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'secrets'));
    await writeFile(join(directory, 'init-secrets.sh'), await readFile(join(ROOT, 'deploy/init-secrets.sh')));
    const run = (env: Record<string, string>) =>
      promisify(execFile)('sh', [join(directory, 'init-secrets.sh')], {
        env: { PATH: process.env.PATH, ...env },
      });
    const file = (name: string) => readFile(join(directory, 'secrets', name), 'utf8');
    expect((await run({})).stdout).toContain('harness_api_key: empty, put your Harness API key into it');
    const [password, account] = [await file('postgres_password'), await file('s3_credentials')];
    expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(account).toMatch(
      /^\[default\]\naws_access_key_id = [0-9a-f]{48}\naws_secret_access_key = [0-9a-f]{48}\n$/,
    );
    const { stdout } = await run({ HARNESS_API_KEY: 'pat.account.token.secret' });
    expect(stdout).toContain('harness_api_key: written');
    expect(stdout).not.toContain('pat.account');
    expect(await file('harness_api_key')).toBe('pat.account.token.secret');
    expect([await file('postgres_password'), await file('s3_credentials')]).toEqual([password, account]);
    expect((await stat(join(directory, 'secrets'))).mode & 0o777).toBe(0o700);
    // The stack's own names.
    const { secrets } = await read();
    expect((await readdir(join(directory, 'secrets'))).sort()).toEqual(Object.keys(secrets).sort());
  });
});

const conditions = (needs: Record<string, { condition: string }>): Record<string, string> =>
  Object.fromEntries(Object.entries(needs).map(([name, { condition }]) => [name, condition]));
