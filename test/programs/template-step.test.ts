import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WorkerStops } from '../../src/activities/step.js';
import { resolveRunConfig } from '../../src/config/resolve.js';
import { digestOf } from '../../src/registry/digest.js';
import { recordOutcomes, writeReport } from '../../src/report/write.js';
import { mirrored, summary } from '../support/report-fixture.js';
import { image, openStep, outputOf, run, step } from './step-world.js';
import { script } from './world.js';

const EXAMPLES = fileURLToPath(new URL('../../templates/examples', import.meta.url));
describe('a step of a template', () => {
  it('is told of its image, by arguments, variables and a file', async () => {
    const { call, evidence } = await openStep();
    const text =
      'const event = JSON.parse(require("fs").readFileSync(process.argv[1])); console.log(JSON.stringify({ event, args: process.argv.slice(2), env: process.env.FACTORY_TARGET }))';
    const args = ['${event}', '${image}', '${source.tag}', '${digest}', '${run.id}', '${run.time}'];
    const end = await call(step({ ...script(text, { args }), name: 'tell', at: 'after-push' }));
    const printed = String(await evidence.get(outputOf('after-push', 'tell', image)));
    expect(JSON.parse(printed)).toEqual({
      event: { version: 1, at: 'after-push', step: 'tell', run, image },
      args: [image.name, '1.16.92', image.digest, 'r1', run.startedAt],
      env: image.target,
    });
    expect(end).toMatchObject({
      name: 'tell',
      at: 'after-push',
      ok: true,
      output: {
        key: outputOf('after-push', 'tell', image),
        digest: digestOf(printed),
      },
    });
    expect(end.ms).toBeGreaterThan(0);
  });

  it('that ends badly says how, and what it said last; what it printed is kept', async () => {
    const { failure, evidence } = await openStep();
    const failed = await failure(
      step(script('console.log("one"); console.error("it is \\u001b[31mbroken"); process.exit(3)')),
    );
    expect(failed).toMatchObject({
      type: 'StepFailed',
      message: 'step tell ended with code 3: it is broken',
      nonRetryable: false,
    });
    expect(String(await evidence.get(outputOf('after-push', 'tell', image)))).toBe('one\nit is broken\n');
  });

  it('is tried as often as it says, and no more', async () => {
    const { failure } = await openStep();
    const twice = step({ ...script('process.exit(1)'), name: 'tell', at: 'after-push', attempts: 2 });
    expect(await failure(twice, { image }, { failures: 0 })).toMatchObject({ nonRetryable: false });
    expect(await failure(twice, { image }, { failures: 1 })).toMatchObject({
      nonRetryable: true,
      message: 'step tell ended with code 1: it said nothing',
    });
  });

  it('that takes too long has failed, with what it had printed as evidence', async () => {
    const { failure, evidence } = await openStep();
    const slow = step({
      command: 'sh',
      args: ['-c', 'echo almost; sleep 1000'],
      timeoutSeconds: 5,
      at: 'before-gather',
    });
    expect((await failure(slow, {})).message).toBe(
      'step tell failed: sh: it took longer than 5 s and was ended; it said last: almost',
    );
    expect(String(await evidence.get(outputOf('before-gather', 'tell')))).toBe('almost\n');
  });

  it('shows no secret in its failure, its output or its evidence', async () => {
    const { failure, evidence } = await openStep({
      HOOK: 'https://u:c4n4ry@h.example/x?t=c4n4ry2',
      ALLOWED_STEP_ENV: 'HOOK',
    });
    const text = 'console.log(process.env.HOOK); console.log("Bearer other-c4n4ry"); process.exit(1)';
    const failed = await failure(step(script(text, { env: ['HOOK'] })));
    expect(failed.message).toBe('step tell ended with code 1: Bearer …');
    expect(String(await evidence.get(outputOf('after-push', 'tell', image)))).toMatch(/^\*\*\*\n/);
  });

  it('overwrites no other’s output: one of the same name in the other template, of a rebuild, an attempt before', async () => {
    const { call, failure, evidence } = await openStep();
    const says = (text: string, code = 0) =>
      step(script(`console.log(${JSON.stringify(text)}); process.exit(${code})`));
    await failure(says('first try', 1), { image }, { activityId: '3' });
    const ends = [
      await call(says('one template'), { image }, { activityId: '3', attempt: 2 }),
      await call(says('the other'), { image }, { activityId: '12' }),
      await call(says('alike'), { image: { ...image, name: 'harness_ci-addon_1.16.92' } }),
    ];
    const kept = await Promise.all(ends.map(({ output }) => evidence.get(output?.key ?? '')));
    expect(kept.map(String)).toEqual(['one template\n', 'the other\n', 'alike\n']);
    expect(ends[0]?.output?.key).toMatch(
      /^runs\/r1\/steps\/after-push\/tell\/[0-9a-f]{8}-harness_ci-addon_1\.16\.92\/00003-0002\.txt$/,
    );
    expect(String(await evidence.get(outputOf('after-push', 'tell', image, '3')))).toBe('first try\n');
  });

  it('that asks for a variable which this worker does not give is not tried again', async () => {
    const { failure } = await openStep({ SECRET: 'x' });
    expect(await failure(step(script('', { env: ['SECRET'] })))).toMatchObject({
      type: 'NotAllowed',
      nonRetryable: true,
    });
  });

  it('is handed to another worker when this one stops', async () => {
    const { failure, stopping } = await openStep();
    const running = failure(step({ command: 'sleep', args: ['1000'] }));
    stopping.abort(new WorkerStops());
    expect(await running).toMatchObject({ type: 'WorkerShutdown', nonRetryable: false });
  });
});

describe('a step after the run', () => {
  async function reported() {
    const world = await openStep();
    const page = await recordOutcomes(world.evidence, run.id, 0, [mirrored('a/b:1')]);
    const report = await writeReport(world.evidence, summary({ runId: run.id, pages: [page.key] }));
    const result = { ok: true, sentence: 'All is well.', counts: counts({ mirrored: 1 }), report };
    return { ...world, result };
  }

  it('has the report as files', async () => {
    const { call, result } = await reported();
    const text =
      'const fs = require("fs"); const [json, page] = process.argv.slice(1); console.log(JSON.parse(fs.readFileSync(json)).images[0].image, fs.readFileSync(page, "utf8").slice(0, 15), json === process.env.FACTORY_REPORT_JSON)';
    const after = step({
      ...script(text, { args: ['${report.json}', '${report.html}'] }),
      name: 'tell',
      at: 'after-run',
    });
    expect(await call(after, { result })).toMatchObject({ ok: true, message: 'a/b:1 <!doctype html> true' });
  });

  it('has no file of a report that could not be written', async () => {
    const { call, result } = await reported();
    const after = step({
      ...script('console.log(process.argv.slice(1))', { args: ['${report.json}'] }),
      name: 'tell',
      at: 'after-run',
    });
    expect(await call(after, { result: { ...result, report: null } })).toMatchObject({ message: "[ '' ]" });
  });
});

const counts = (some: Partial<Record<string, number>>) => ({
  mirrored: 0,
  rescanned: 0,
  blocked: 0,
  skipped: 0,
  unchanged: 0,
  unresolved: 0,
  failed: 0,
  cancelled: 0,
  ...some,
});

describe('the notification example', () => {
  /** Slack's webhook, as far as the script talks to it. */
  async function slack(status: number, answer: string) {
    const posts: { type: string | undefined; body: unknown }[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        posts.push({
          type: request.headers['content-type'],
          body: JSON.parse(Buffer.concat(chunks).toString()),
        });
        response.writeHead(status).end(answer);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    // A server on TCP has a port.
    const { port } = server.address() as AddressInfo;
    return { posts, url: `http://127.0.0.1:${port}/services/T0/B0/c4n4ry` };
  }

  /** Resolves a run with the example and calls its step. */
  async function notify(url: string) {
    const world = await openStep({
      SLACK_WEBHOOK_URL: url,
      ALLOWED_STEP_ENV: 'SLACK_WEBHOOK_URL',
      TEMPLATE_DIR: EXAMPLES,
      HARNESS_API_KEY: 'pat.acme.tokenid.c4n4ry-key',
    });
    const { gatherScan } = await resolveRunConfig(
      { registry: 'r.example.com', gatherScanTemplate: 'notification' },
      world.environment,
      { now: new Date(), evidence: world.evidence },
    );
    const [example] = gatherScan.steps ?? [];
    if (example === undefined) throw new Error('the example has a step');
    const result = {
      ok: false,
      sentence: '1 of 2 images is as it should be; <evil|link> & 1 failed.',
      counts: counts({ mirrored: 1, failed: 1 }),
      report: null,
    };
    return { ...world, example, result };
  }

  it('tells Slack how the run ended', async () => {
    const { posts, url } = await slack(200, 'ok');
    const { call, example, result } = await notify(url);
    expect(await call(example, { result })).toMatchObject({
      name: 'notify',
      ok: true,
      message: 'Slack was told',
    });
    expect(posts).toEqual([
      {
        type: 'application/json',
        body: {
          text: ':x: 1 of 2 images is as it should be; &lt;evil|link&gt; &amp; 1 failed.\n1 mirrored, 1 failed\nWorkflow image-factory, run r1',
        },
      },
    ]);
  });

  it('is a warning with Slack’s words when Slack refuses, and shows no URL', async () => {
    const { url } = await slack(403, 'invalid_token');
    const { failure, example, result, evidence } = await notify(url);
    expect(example.onFailure).toBe('warn');
    const failed = await failure(example, { result });
    expect(failed.message).toBe('step notify ended with code 1: Slack answered 403: invalid_token');
    const kept = String(await evidence.get(outputOf('after-run', 'notify')));
    expect(kept).toBe('Slack answered 403: invalid_token\n');
  });
});
