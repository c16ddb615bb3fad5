import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { EXIT } from '../../src/cli/exit.js';
import { runProgram } from '../../src/common/process.js';
import { mirrorImageId, WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { startS3 } from '../../src/demo/services/s3.js';
import { snapshotKey } from '../../src/harness/account-records.js';
import { reportSchema } from '../../src/report/schema.js';
import { S3EvidenceStore } from '../../src/store/evidence-s3.js';
import { crane } from '../mirror/side.js';
import { forward } from '../support/forward.js';
import { ref } from '../support/images.js';
import { openFactory } from './factory.js';
import { textOf } from './history.js';
import { startWorkerProcess } from './worker-process.js';

const WORKER = fileURLToPath(new URL('../../src/worker.ts', import.meta.url));
const BUCKET = 'image-factory';
const ROOT = `s3://${BUCKET}/nightly/prod`;

/** Stands before the server, and refuses the first few writes of a report, as AWS does while a role is changed. */
async function startHiccup(behind: string, refusals: number) {
  const refused: string[] = [];
  const server = createServer((asked, response) => {
    const { method, url = '' } = asked;
    if (method !== 'PUT' || !url.includes('/report.json') || refused.length === refusals)
      return forward(asked, response, behind);
    refused.push(url);
    asked.resume();
    response.writeHead(403).end('<Error><Code>AccessDenied</Code><Message>no</Message></Error>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { endpoint: `http://127.0.0.1:${port}`, refused };
}

/**
 * A factory whose evidence is in a bucket of its own, as a worker's environment says it, and no worker yet.
 *
 * @param front gives the endpoint of what is to stand before the server, by its address
 */
async function openFactoryOnS3(front?: (address: string) => Promise<string>) {
  const s3 = await startS3({ buckets: [BUCKET] });
  const login = {
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
  };
  // The SDK looks in the process's own environment, here for the test's view of the bucket.
  for (const [name, value] of Object.entries(login)) vi.stubEnv(name, value);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await s3.stop();
  });
  const endpoint = (await front?.(s3.address)) ?? s3.endpoint;
  const factory = await openFactory({
    account: `s3-${randomUUID().slice(0, 8)}`,
    images: ({ expected }) => expected !== 'blocked',
    withoutWorker: true,
    env: { ...login, S3_BUCKET: BUCKET, S3_PREFIX: '/nightly/prod/', AWS_ENDPOINT_URL_S3: endpoint },
  });
  return { ...factory, secret: login.AWS_SECRET_ACCESS_KEY };
}

describe('workers with a bucket and no folder in common', () => {
  it('share a run, and one of them goes on with what both left; report, snapshot and latest.json are in the bucket', async () => {
    const factory = await openFactoryOnS3();
    const { evidence, env, directory, fleet, target, temporal } = factory;
    expect(evidence).toBeInstanceOf(S3EvidenceStore);
    const apart = {
      HOME: `${directory}/host2`,
      CONTENT_DIR: `${directory}/host2/content`,
      TRIVY_CACHE_DIR: `${directory}/host2/trivy`,
    };
    const [first, second] = await Promise.all([
      startWorkerProcess(env),
      startWorkerProcess({ ...env, ...apart }),
    ]);

    const handle = await factory.start(WORKFLOW.imageFactory);
    const result: RunResult = await handle.result();
    expect(result.counts).toMatchObject({ mirrored: fleet.length, failed: 0, blocked: 0 });
    for (const image of fleet)
      await crane('validate', '--remote', `${target.host}/ci/${image.repository}:${image.tag}`);

    const key = `runs/${result.runId}/report.json`;
    expect(result.report?.json).toBe(`${ROOT}/${key}`);
    const report = reportSchema.parse(JSON.parse(String(await evidence.get(key))));
    expect(report.run.id).toBe(result.runId);
    const latest = async () => JSON.parse(String(await evidence.get('latest.json')));
    expect(await latest()).toMatchObject({ runId: result.runId, json: key });
    const keys = await evidence.list('');
    expect(keys).toEqual(
      expect.arrayContaining([`runs/${result.runId}/report.html`, snapshotKey(result.runId, 'K8')]),
    );
    expect(await readdir(directory)).not.toContain('reports');

    const histories = await Promise.all(
      fleet.map(({ repository, tag }) =>
        temporal.client.workflow
          .getHandle(mirrorImageId(ref(`${target.host}/ci/${repository}:${tag}`)))
          .fetchHistory(),
      ),
    );
    const workers = new Set(
      [await handle.fetchHistory(), ...histories]
        .flatMap((history) => history.events ?? [])
        .flatMap(({ activityTaskStartedEventAttributes: started }) => started?.identity ?? []),
    );
    expect(workers.size).toBe(2);
    for (const text of [first.output(), second.output(), ...histories.map(textOf)])
      expect(text).not.toContain(factory.secret);

    await first.terminate();
    const again: RunResult = await (await factory.start(WORKFLOW.imageFactory)).result();
    expect(again.counts).toMatchObject({ mirrored: 0, unchanged: fleet.length, failed: 0 });
    // Who wrote the first report is gone; the one that stayed has moved the pointer on, and knows what came before.
    expect(await latest()).toMatchObject({ runId: again.runId, html: `runs/${again.runId}/report.html` });
    const previous = JSON.parse(String(await evidence.get(`runs/${again.runId}/previous.json`)));
    expect(previous).toMatchObject({ runId: result.runId });
  }, 300_000);
});

describe('a bucket that refuses for a moment', () => {
  it('costs a run neither its report nor its end', async () => {
    let refused: string[] = [];
    const { start, env, evidence } = await openFactoryOnS3(async (address) => {
      const hiccup = await startHiccup(address, 3);
      refused = hiccup.refused;
      return hiccup.endpoint;
    });
    await startWorkerProcess(env);
    const result: RunResult = await (await start(WORKFLOW.imageFactory)).result();
    expect(refused).toHaveLength(3);
    const report = JSON.parse(String(await evidence.get(`runs/${result.runId}/report.json`)));
    expect(reportSchema.parse(report).run.id).toBe(result.runId);
  }, 300_000);
});

describe('a worker whose bucket', () => {
  const start = (env: Record<string, string>) =>
    runProgram(process.execPath, ['--import', 'tsx', WORKER], {
      // It looks at the bucket first: where that is well, the missing Temporal server ends it.
      env: { PATH: process.env.PATH ?? '', TEMPORAL_ADDRESS: '127.0.0.1:1', S3_BUCKET: BUCKET, ...env },
      timeoutMs: 60_000,
    });

  it('is not there, or is not for its credentials, does not start', async () => {
    const s3 = await startS3();
    onTestFinished(() => s3.stop());
    const env = {
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    };
    const absent = await start(env);
    expect(absent.code).toBe(EXIT.unreachable);
    expect(absent.stderr).toMatch(
      /The S3 bucket image-factory can't be listed: .* has no bucket of this name/,
    );
    expect(absent.stderr).not.toContain('Temporal');
    const wrong = await start({ ...env, AWS_SECRET_ACCESS_KEY: 'canary' });
    expect(wrong.code).toBe(EXIT.unreachable);
    expect(wrong.stderr).toContain('does not accept the AWS credentials');
    expect(wrong.stderr).not.toContain('canary');
  }, 60_000);

  it('gives no answer yet says so and goes on', async () => {
    const { stdout, stderr } = await start({
      AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1',
      AWS_ACCESS_KEY_ID: 'nobody',
      AWS_SECRET_ACCESS_KEY: 'nobody',
    });
    expect(stdout + stderr).toContain('the bucket for reports gives no answer yet');
    expect(stderr).toContain('no Temporal server answers');
  }, 60_000);
});
