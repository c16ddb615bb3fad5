import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { mirrorImageId, updateHarnessId, WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { ref } from '../support/images.js';
import { TEST_LOGIN } from '../support/registry-server.js';
import { ACCOUNT, few, openFactory } from './factory.js';
import { textOf } from './history.js';
import { startWorkerProcess } from './worker-process.js';

const API_KEY = `pat.${ACCOUNT}.canaryTokenId.c4n4ry+S3cret/K3y=`;

/** A secret in every form that it could leak in. */
function forms(secret: string): string[] {
  const base64 = Buffer.from(secret).toString('base64');
  return [
    secret,
    base64,
    base64.replace(/=+$/, ''),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ];
}

const CANARIES = [
  ...forms(API_KEY),
  ...forms('c4n4ry+S3cret/K3y='),
  ...forms(TEST_LOGIN.password),
  Buffer.from(`${TEST_LOGIN.user}:${TEST_LOGIN.password}`).toString('base64'),
];

const leaks = (text: string): string[] => CANARIES.filter((canary) => text.includes(canary));

/** Every file below a folder, as text. */
async function filesBelow(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n');
}

/** The command lines of every process of this machine. */
async function commandLines(): Promise<string> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = processes.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
  return (await Promise.all(lines)).join('\n');
}

describe('secrets', () => {
  it('are used, and are nowhere in histories, logs, reports, error texts, the content store or command lines', async () => {
    const factory = await openFactory({
      images: few,
      withoutWorker: true,
      htpasswd: true,
      apiKey: API_KEY,
    });
    const login = { REGISTRY_USER: TEST_LOGIN.user, REGISTRY_PASSWORD: TEST_LOGIN.password };
    const worker = await startWorkerProcess({
      ...factory.env,
      ...login,
      ALLOWED_REGISTRIES: factory.target.host,
    });
    const seen: string[] = [];
    let watching = true;
    const watch = (async () => {
      while (watching) seen.push(await commandLines());
    })();
    const handle = await factory.start(WORKFLOW.imageFactory);
    const result: RunResult = await handle.result();
    expect(result.counts.mirrored).toBe(2);
    expect(Object.keys(factory.harness.state.overrides.K8)).toHaveLength(2);

    // Then everything that can go wrong with a credential, since error texts leak most.
    factory.harness.fail({ how: { kind: 'answer', status: 401, body: `bad key ${API_KEY}` } });
    const refused = await factory.start(WORKFLOW.planImages);
    const error: unknown = await refused.result().catch((reason: unknown) => reason);

    watching = false;
    await watch;
    const { client } = factory.temporal;
    const handles: WorkflowHandle[] = [
      handle,
      refused,
      ...factory.fleet.map(({ repository, tag }) =>
        client.workflow.getHandle(mirrorImageId(ref(`${factory.target.host}/ci/${repository}:${tag}`))),
      ),
      client.workflow.getHandle(updateHarnessId(ACCOUNT, 'K8')),
    ];
    for (const one of handles) {
      const text = textOf(await one.fetchHistory());
      expect(text.length).toBeGreaterThan(1000);
      expect(leaks(text)).toEqual([]);
    }
    expect(leaks(worker.output())).toEqual([]);
    expect(leaks(JSON.stringify(error, Object.getOwnPropertyNames(error)))).toEqual([]);
    expect(leaks(await filesBelow(factory.directory))).toEqual([]);
    expect(seen.length).toBeGreaterThan(3);
    expect(leaks(seen.join('\n'))).toEqual([]);
  }, 150_000);
});
