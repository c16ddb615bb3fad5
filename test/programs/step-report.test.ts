import { describe, expect, it } from 'vitest';
import type { ImageRecord } from '../../src/contract/outcome.js';
import type { StepEnd } from '../../src/contract/template-step.js';
import { digestOf } from '../../src/registry/digest.js';
import { reportSchema } from '../../src/report/schema.js';
import { recordOutcomes, writeReport } from '../../src/report/write.js';
import type { EvidenceStore } from '../../src/store/evidence.js';
import { fleet, mirrored, summary, verdict } from '../support/report-fixture.js';
import { image, openStep, outputOf, run, step } from './step-world.js';
import { script } from './world.js';

describe('steps in the report', () => {
  it('are shown with how they ended and where their output lies', async () => {
    const { call, failure, evidence } = await openStep();
    const good = await call(step({ ...script('console.log("well")'), name: 'good', at: 'after-push' }));
    await failure(step({ ...script('process.exit(1)'), name: 'bad', at: 'before-gather' }), {});
    const [first, ...others] = fleet(1);
    if (first === undefined) throw new Error('the fleet has images');
    const record = mirrored(image.name);
    const outcome =
      record.outcome.kind === 'mirrored' ? { ...record.outcome, templateSteps: [good] } : record.outcome;
    const page = await recordOutcomes(evidence, run.id, 0, [{ ...record, outcome }, first, ...others]);
    const bad = {
      name: 'bad',
      at: 'before-gather' as const,
      ok: false,
      message: 'step bad ended with code 1',
      ms: 5,
      output: null,
    };
    await writeReport(evidence, summary({ runId: run.id, pages: [page.key], templateSteps: [bad] }));
    const json = String(await evidence.get('runs/r1/report.json'));
    const report = reportSchema.parse(JSON.parse(json));
    expect(report.images.find((one) => one.image === image.name)?.templateSteps).toEqual([good]);
    expect(report.templateSteps).toEqual([
      { ...bad, output: { key: outputOf('before-gather', 'bad'), digest: digestOf('') } },
    ]);
    expect(report.needsAttention).toContainEqual({
      kind: 'step-failed',
      level: 'warning',
      subject: 'run',
      text: 'Step bad of a template, before-gather: step bad ended with code 1',
    });
    const html = String(await evidence.get('runs/r1/report.html'));
    expect(html).toContain(`href="../../${outputOf('before-gather', 'bad')}"`);
    expect(html).toContain(`href="../../${outputOf('after-push', 'good', image)}"`);
  });

  /** The ends of steps of one image in its report, and what lies among the evidence. */
  async function reportOf(evidence: EvidenceStore, templateSteps: StepEnd[] | undefined) {
    const record = mirrored(image.name);
    const outcome: ImageRecord['outcome'] =
      templateSteps === undefined
        ? { kind: 'failed', step: 'push', type: 'RegistryDenied', message: 'no' }
        : { kind: 'blocked', verdict: verdict(), steps: [], templateSteps };
    const page = await recordOutcomes(evidence, run.id, 0, [{ ...record, outcome }]);
    await writeReport(evidence, summary({ runId: run.id, pages: [page.key] }));
    const report = reportSchema.parse(JSON.parse(String(await evidence.get('runs/r1/report.json'))));
    const steps = report.evidence.filter(({ key }) => key.startsWith('runs/r1/steps/'));
    return {
      steps: report.images[0]?.templateSteps,
      evidence: steps.map(({ what, key }) => [what, key]),
    };
  }
  const failedEnd = (message: string): StepEnd => ({
    name: 'tell',
    at: 'before-build',
    ok: false,
    message,
    ms: 5,
    output: null,
  });

  it('that failed have what their last attempts printed, also where a name is there twice', async () => {
    const { call, failure, evidence } = await openStep();
    const ends = (text: string, code: number) =>
      step({
        ...script(`console.log(${JSON.stringify(text)}); process.exit(${code})`),
        name: 'tell',
        at: 'before-build',
      });
    await failure(ends('a', 1), { image }, { activityId: '2' });
    await failure(ends('b', 1), { image }, { activityId: '2', attempt: 2 });
    const good = await call(ends('c', 0), { image }, { activityId: '5' });
    await failure(ends('d', 1), { image }, { activityId: '11' });
    const key = (execution: string, attempt = 1) =>
      outputOf('before-build', 'tell', image, execution, attempt);
    const told = await reportOf(evidence, [failedEnd('b'), good, failedEnd('d')]);
    expect(told.steps?.map(({ output }) => output?.key)).toEqual([key('2', 2), key('5'), key('11')]);
    expect(told.evidence.toSorted()).toEqual(
      [
        ['output of step tell', key('5')],
        ['output of a step', key('2')],
        ['output of a step', key('2', 2)],
        ['output of a step', key('11')],
      ].toSorted(),
    );
  });

  it('of which one printed nothing get nobody else’s output', async () => {
    const { failure, evidence } = await openStep();
    await failure(
      step({ ...script('process.exit(1)'), name: 'tell', at: 'before-build' }),
      { image },
      { activityId: '2' },
    );
    const { steps } = await reportOf(evidence, [failedEnd('never ran'), failedEnd('ran')]);
    expect(steps?.map(({ output }) => output)).toEqual([null, null]);
  });

  it('of an image that failed are no failures by that: their outputs are among the evidence', async () => {
    const { call, evidence } = await openStep();
    const { output } = await call(step(script('console.log("well")')));
    const told = await reportOf(evidence, undefined);
    expect(told).toEqual({ steps: [], evidence: [['output of a step', output?.key]] });
  });
});
