import { readFile } from 'node:fs/promises';
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { workflowEnd } from '../../src/cli/exit.js';
import { mirrorImageId, updateHarnessId, WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import type { PlanResult } from '../../src/contract/plan.js';
import { reportSchema } from '../../src/report/schema.js';
import { crane } from '../mirror/side.js';
import { ref } from '../support/images.js';
import { ACCOUNT, few, openFactory } from './factory.js';
import { payloadsOf, record } from './history.js';

/** The end of a run that is Failed because of its images. */
async function failedResult(handle: { result(): Promise<unknown> }): Promise<RunResult> {
  const error = await handle.result().then(
    () => new Error('the run did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowFailedError)) throw error;
  const end = workflowEnd(error);
  expect(end.type).toBe('ImagesFailed');
  return end.details as RunResult; // what imageFactory adds to its failure
}

async function reportOf(result: RunResult) {
  const bytes = await readFile(result.report?.json ?? '', 'utf8');
  return reportSchema.parse(JSON.parse(bytes));
}

describe('a run', () => {
  it('mirrors what is clean, blocks what is not, sets the account, reports; the next one changes nothing; a restore undoes it', async () => {
    const factory = await openFactory({ overrides: { gitCloneTag: 'harness/drone-git:1.5.4-rootless' } });
    const { fleet, target, harness, input } = factory;
    const handle = await factory.start(WORKFLOW.imageFactory);
    const result = await failedResult(handle);
    expect(result.counts).toMatchObject({ mirrored: 8, blocked: 2, failed: 0, unresolved: 0 });

    for (const image of fleet) {
      const copy = `${target.host}/ci/${image.repository}:${image.tag}`;
      if (image.expected === 'blocked') {
        await expect(crane('digest', copy)).rejects.toThrow('MANIFEST_UNKNOWN');
        continue;
      }
      await crane('validate', '--remote', copy);
      const original = `${factory.source.host}/${image.repository}:${image.tag}`;
      for (const platform of ['linux/amd64', 'linux/arm64']) {
        const [mine, theirs] = await Promise.all(
          [copy, original].map(async (one) =>
            JSON.parse(await crane('manifest', '--platform', platform, one)),
          ),
        );
        expect(mine.layers).toEqual(theirs.layers);
      }
      for (const field of image.fields) expect(harness.state.overrides.K8[field]).toBe(copy);
    }
    const blocked = fleet.filter((image) => image.expected === 'blocked').flatMap((image) => image.fields);
    for (const field of blocked) expect(harness.state.overrides.K8[field]).toBeUndefined();

    const report = await reportOf(result);
    expect(report.run.id).toBe(result.runId);
    expect(JSON.stringify(report)).toContain('CVE-2024-3094');
    const html = await readFile(result.report?.html ?? '', 'utf8');
    expect(html).toContain('plugins/kaniko:1.10.6');

    // Payloads stay small however much was found (design, decision 1).
    const sizes = payloadsOf(await handle.fetchHistory()).map((payload) => payload.data?.length ?? 0);
    expect(Math.max(...sizes)).toBeLessThan(64 * 1024);

    await record('image-factory.partial-failure', handle);
    const child = (name: string) =>
      factory.temporal.client.workflow.getHandle(mirrorImageId(ref(`${target.host}/ci/${name}`)));
    await record('mirror-image.mirrored', child('harness/ci-addon:1.16.92'));
    await record('mirror-image.blocked', child('plugins/kaniko:1.10.6'));
    await record(
      'update-harness.patched',
      factory.temporal.client.workflow.getHandle(updateHarnessId(ACCOUNT, 'K8')),
    );

    const before = { ...harness.state.overrides.K8 };
    const requests = harness.requests.length;
    const again = await failedResult(await factory.start(WORKFLOW.imageFactory));
    expect(again.counts).toMatchObject({ unchanged: 8, blocked: 2, mirrored: 0 });
    expect(harness.state.overrides.K8).toEqual(before);
    expect(harness.requests.slice(requests).filter((one) => one.path.endsWith('update-config'))).toEqual([]);

    const restore = await factory.start(WORKFLOW.restoreHarness, { runId: result.runId, infra: ['K8'] });
    await restore.result();
    await record('restore-harness.restored', restore);
    expect(harness.state.overrides.K8).toEqual({ gitCloneTag: 'harness/drone-git:1.5.4-rootless' });
    expect(input.modifyDefault).toBe(true);
  }, 180_000);

  it('that only plans changes nothing anywhere and works with a read-only key', async () => {
    const factory = await openFactory({ images: few });
    const planning = await factory.start(WORKFLOW.planImages);
    const plan: PlanResult = await planning.result();
    await record('plan-images.planned', planning);
    expect(plan.counts).toMatchObject({ create: 2 });
    const dry: PlanResult = await (
      await factory.start(WORKFLOW.imageFactory, { ...factory.input, dryRun: true })
    ).result();
    expect(dry.items).toEqual(plan.items);
    expect(await crane('catalog', factory.target.host)).toBe('');
    expect(factory.harness.requests.every((request) => request.method === 'GET')).toBe(true);
  });

  it('without scanning says so in the report, and a later scanning run makes up for it', async () => {
    const factory = await openFactory({ images: few });
    const unscanned: RunResult = await (
      await factory.start(WORKFLOW.imageFactory, { ...factory.input, scan: false })
    ).result();
    expect(unscanned.counts.mirrored).toBe(2);
    const html = await readFile(unscanned.report?.html ?? '', 'utf8');
    expect(html).toMatch(/unscanned/i);
    const scanning = await factory.start(WORKFLOW.imageFactory);
    const later: RunResult = await scanning.result();
    await record('image-factory.success', scanning);
    expect(later.counts).toMatchObject({ rescanned: 2, mirrored: 0 });
  });

  it('mends a tag that someone replaced, and says that it was drift', async () => {
    const factory = await openFactory({ images: few });
    await (await factory.start(WORKFLOW.imageFactory)).result();
    const copy = `${factory.target.host}/ci/harness/ci-addon:1.16.92`;
    const good = await crane('digest', copy);
    await crane(
      'tag',
      `${factory.target.host}/ci/harness/ci-addon@${await crane('digest', '--platform', 'linux/arm64', copy)}`,
      '1.16.92',
    );
    const result: RunResult = await (await factory.start(WORKFLOW.imageFactory)).result();
    expect(result.counts).toMatchObject({ mirrored: 1, unchanged: 1 });
    expect(await crane('digest', copy)).toBe(good);
    expect(JSON.stringify(await reportOf(result))).toContain('replaced');
  });
});
