import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { expect } from 'vitest';
import { workflowEnd } from '../../src/cli/exit.js';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { reportSchema } from '../../src/report/schema.js';
import { crane } from '../mirror/side.js';
import { readJson, type World } from './world.js';

const GOOD = new Set(['mirrored', 'unchanged', 'rescanned']);

/** How a run ended, whichever way. */
export async function endOf(
  run: Pick<WorkflowHandle, 'result'>,
): Promise<{ type: string; result: RunResult }> {
  try {
    const result: RunResult = await run.result();
    return { type: 'success', result };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { type, details } = workflowEnd(error);
    if (details === undefined) throw error;
    return { type, result: details as RunResult }; // what imageFactory adds to its failure
  }
}

/**
 * Compares what a run says with what is there, by other programs than ours: each image that it calls good is whole in the
 * registry and has the digest of the report; the account's fields name good images alone; what was in the account before
 * is in the snapshot; and the run's end, its counts and its report say the same.
 */
export async function expectTruth(world: World, run: Pick<WorkflowHandle, 'result'>) {
  const { type, result } = await endOf(run);
  const report = reportSchema.parse(await readJson(result.report?.json ?? ''));
  expect(report.run.id).toBe(result.runId);
  const counts = Object.fromEntries(Object.entries(result.counts).filter(([, count]) => count > 0));
  expect(report.counts).toEqual(counts);
  expect(report.images.map(({ image }) => image).sort()).toEqual(
    world.factory.fleet.map((image) => `${image.repository}:${image.tag}`).sort(),
  );

  const good = report.images.filter(({ outcome }) => GOOD.has(outcome.kind));
  await Promise.all(
    good.map(async ({ target, targetDigest }) => {
      const copy = world.real(target ?? '');
      await crane('validate', '--remote', copy);
      expect(await crane('digest', copy)).toBe(targetDigest);
    }),
  );

  // No wrong success, and no wrong failure either.
  const accountBad = report.accounts.some(({ kind }) => kind === 'failed' || kind === 'refused');
  expect(report.verdict.ok).toBe(good.length === report.images.length && !accountBad);
  expect(type === 'success').toBe(report.verdict.ok);

  const fields = world.factory.harness.state.overrides.K8;
  const goodTargets = new Set(good.map(({ target }) => target));
  for (const [field, value] of Object.entries(fields)) {
    if (value !== world.overridesBefore[field]) expect(goodTargets, field).toContain(value);
  }
  for (const account of report.accounts) {
    for (const { field, after } of account.updated) expect(fields[field]).toBe(after);
    if (account.kind === 'updated' || account.kind === 'unchanged') {
      for (const image of good)
        for (const { field } of image.fields) expect(fields[field]).toBe(image.target);
    }
    if (account.snapshot !== null) {
      const snapshot = await readJson(world.evidence(account.snapshot));
      expect(snapshot).toMatchObject({ overrides: world.overridesBefore });
    }
  }
  expect(world.wrongUpdates).toEqual([]);
  return { type, result, report, outcomes: report.images.map(({ outcome }) => outcome) };
}

/** After a case: an undisturbed run finds everything as the last one left it, byte for byte, or mends what is left. */
export async function expectNextRunGood(world: World, kind: 'unchanged' | 'mirrored'): Promise<void> {
  const next = await expectTruth(world, await world.factory.start(WORKFLOW.imageFactory, world.input));
  expect(next.outcomes.map((outcome) => outcome.kind)).toEqual(world.factory.fleet.map(() => kind));
}
