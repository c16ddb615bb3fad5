import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { RunSummaryForReport } from '../contract/activities.js';
import type { Continuation } from '../contract/continuation.js';
import type { RunInput } from '../contract/input.js';
import {
  type AccountOutcome,
  FAILING_OUTCOMES,
  type ReportRef,
  type RunResult,
} from '../contract/outcome.js';
import type { DiscoverySummary, RunConfig } from '../contract/run.js';
import { stepsAt } from '../contract/template-step.js';
import { undoOf } from '../contract/undo.js';
import { updateAccount } from './account.js';
import { engineering, harness, reporting, writingReport } from './activities.js';
import { deadlineOf, timeAfterReport } from './deadline.js';
import { unfinishedEnd } from './ends.js';
import { asEnd, type Failure, rootFailure } from './failure.js';
import { mirrorPages, type PageCursor } from './mirror-pages.js';
import { Outcomes } from './outcomes.js';
import { RunState } from './run-state.js';
import { TemplateSteps } from './template-steps.js';

/** So many images are named in a run's failure. */
const NAMES_SHOWN = 5;

/** What a run finds out on its way, kept whatever stops it, since the report needs it. */
export class Run {
  readonly state: RunState;
  deadlineAt = deadlineOf().toISOString();
  #input: RunInput = {};
  #config: RunConfig | null = null;
  #discovery: DiscoverySummary | null = null;
  #cursor: PageCursor = { nextPage: 0, database: null };
  readonly #outcomes: Outcomes;
  readonly #accounts: AccountOutcome[] = [];
  /** Of the run itself; null where its templates have none. */
  #steps: TemplateSteps | null = null;

  constructor(runId: string) {
    this.#outcomes = new Outcomes(runId);
    this.state = new RunState(runId, this.#outcomes);
  }

  get config(): RunConfig {
    if (this.#config === null) throw new Error('the run has not begun');
    return this.#config;
  }

  /** Fixes the configuration, or takes over where an earlier execution stopped. @throws what the input's faults are */
  async begin(input: RunInput, continuation: Continuation | undefined): Promise<void> {
    this.#input = input ?? {};
    if (continuation !== undefined) return this.#takeOver(continuation);
    if (workflowInfo().cronSchedule) {
      // Its nights would share one run id, and so their snapshots and reports.
      throw asEnd({
        type: 'InvalidInput',
        message: 'a cron workflow is not supported: use a schedule (image-factory schedule apply)',
      });
    }
    this.#config = await harness.resolveRun.executeWithOptions({ summary: 'input, environment, templates' }, [
      input,
    ]);
    this.#planSteps();
    this.state.steering.configure({ paused: false, maxConcurrency: this.config.maxConcurrency });
  }

  /** @returns whether the run has to go on in another execution. */
  async work(): Promise<boolean> {
    const { state, config } = this;
    if (this.#discovery === null) {
      state.enter('discover');
      await this.#steps?.at('before-gather');
      this.#discovery = await harness.discoverImages.executeWithOptions({ summary: 'ask Harness' }, [
        { runId: state.runId, config },
      ]);
      await this.#steps?.at('after-gather');
    }
    state.discovered(this.#discovery.images);
    state.enter('mirror');
    const more = await mirrorPages(state, config, this.#discovery, this.#cursor);
    await this.#outcomes.flush();
    if (more || !config.modifyDefault) return more;
    // A person who paused the run wants nothing new begun, the account least of all.
    await state.steering.resumed();
    state.steering.close('the images are done');
    state.enter('update');
    await updateAccount(state.runId, config, this.deadlineAt, state.goodFields, this.#accounts);
    return false;
  }

  continuation(): Continuation {
    if (this.#discovery === null) throw new Error('nothing was discovered yet');
    const { paused, maxConcurrency } = this.state.steering.state();
    return {
      config: this.config,
      discovery: this.#discovery,
      ...this.#cursor,
      outcomePages: this.#outcomes.pages,
      counts: this.state.counts,
      // Only an update of the account reads them.
      goodFields: this.config.modifyDefault ? this.state.goodFields : [],
      steering: { paused, maxConcurrency },
      startedAt: this.state.startedAt,
      deadlineAt: this.deadlineAt,
      ...(this.#steps?.record() ?? {}),
    };
  }

  /**
   * Gives every image an end and writes the report.
   *
   * @param timeout bounds all attempts to write it
   */
  async report(ended: RunSummaryForReport['ended'], timeout?: '1m'): Promise<ReportRef> {
    const { state } = this;
    const { engine } = this.#cursor;
    state.enter('report');
    const outcome = unfinishedEnd(ended);
    for (const item of state.unfinished()) state.ended({ item, outcome });
    await this.#outcomes.flush();
    for (const discoveryPage of this.#discovery?.pages.slice(this.#cursor.nextPage) ?? []) {
      const page = this.#outcomes.pages.length;
      const { key, images } = await reporting.recordUnreached({
        runId: state.runId,
        discoveryPage,
        page,
        outcome,
      });
      this.#outcomes.pages.push(key);
      state.counts[outcome.kind] += images;
    }
    return writingReport.writeReport.executeWithOptions(
      { summary: 'report', ...(timeout === undefined ? {} : { scheduleToCloseTimeout: timeout }) },
      [
        {
          runId: state.runId,
          workflowId: workflowInfo().workflowId,
          startedAt: this.state.startedAt,
          finishedAt: new Date().toISOString(),
          config: this.#config,
          database: this.#cursor.database,
          ...(engine === undefined ? {} : { engine }),
          answeredBy: this.#discovery?.answeredBy ?? null,
          pages: this.#outcomes.pages,
          accounts: this.#accounts,
          ended,
          ...(this.#steps?.record() ?? {}),
        },
      ],
    );
  }

  /** Takes what was built off the Docker Engine. What can't be removed now, a later run removes. */
  async clean(): Promise<void> {
    if (this.#cursor.engine === undefined) return;
    await engineering.cleanEngine
      .executeWithOptions({ summary: 'Docker Engine', scheduleToCloseTimeout: '2m' }, [
        { runId: this.state.runId },
      ])
      .catch((error: unknown) => rootFailure(error));
  }

  get hasStepsAfter(): boolean {
    return this.#config !== null && stepsAt(this.#config, 'after-run').length > 0;
  }

  /**
   * Runs the templates' steps that come last, also of a cancelled run: who waits for a notification wants to know just that.
   * @returns the failure of one that may not fail
   */
  async afterRun(failure: Failure | null, report: ReportRef | null): Promise<Failure | null> {
    const { counts, failedSteps } = this.state;
    const images = this.state.done();
    const good = images === 1 ? '1 image: as it should be' : `${images} images: all as they should be`;
    const sentence =
      failure?.message ??
      (failedSteps === 0 ? good : `${good}, but steps of templates failed (${failedSteps})`);
    const event = { result: { ok: failure === null, sentence, counts, report } };
    const steps = this.#steps;
    const limitMs = timeAfterReport(this.deadlineAt);
    try {
      await CancellationScope.nonCancellable(() =>
        CancellationScope.withTimeout(limitMs, async () => steps?.at('after-run', event)),
      );
      return null;
    } catch (error) {
      if (!isCancellation(error)) return rootFailure(error);
      return steps?.cut(`did not end: steps after the run had ${Math.round(limitMs / 1000)} s`) ?? null;
    }
  }

  result(report: ReportRef | null): RunResult {
    return {
      kind: 'run',
      runId: this.state.runId,
      registry: this.config.registry,
      counts: this.state.counts,
      accounts: this.#accounts.map(({ infra, kind, reason }) => ({ infra, kind, reason })),
      report,
      attention: this.state.attention,
      undo: undoOf(this.state.runId, this.#accounts, this.#input),
      ...(this.#steps?.record() ?? {}),
    };
  }

  /** Why the run is not a success, if it is none. */
  failure(report: ReportRef | null): Failure | null {
    const { counts } = this.state;
    const where = report === null ? '' : `; report: ${report.html}`;
    const bad = FAILING_OUTCOMES.filter((kind) => counts[kind] > 0);
    if (bad.length > 0) {
      const list = bad.map((kind) => `${counts[kind]} ${kind}`).join(', ');
      return {
        type: 'ImagesFailed',
        message: `${list} of ${this.state.done()} images${this.#names()}${where}`,
      };
    }
    const account = this.#accounts.find(({ kind }) => kind === 'refused' || kind === 'failed');
    if (account === undefined) return null;
    const message = `${account.infra}: ${account.reason}${where}`;
    return { type: 'HarnessNotUpdated', message };
  }

  /** The first of the images that failed, for a sentence. */
  #names(): string {
    const names = this.state.attention.map(({ image }) => image.slice(0, 200));
    return names.length === 0
      ? ''
      : ` (${names.slice(0, NAMES_SHOWN).join(', ')}${names.length > NAMES_SHOWN ? ', …' : ''})`;
  }

  #planSteps(): void {
    const steps = stepsAt(this.config, 'before-gather', 'after-gather', 'after-run');
    if (steps.length === 0) return;
    const { runId: id, startedAt } = this.state;
    this.#steps = new TemplateSteps(steps, { id, workflowId: workflowInfo().workflowId, startedAt });
  }

  #takeOver(continuation: Continuation): void {
    const { config, discovery, nextPage, database, engine } = continuation;
    const { outcomePages, counts, goodFields, steering } = continuation;
    this.#config = config;
    this.#planSteps();
    this.#steps?.ends.push(...(continuation.templateSteps ?? []));
    this.#discovery = discovery;
    this.#cursor = { nextPage, database, ...(engine === undefined ? {} : { engine }) };
    this.#outcomes.pages.push(...outcomePages);
    Object.assign(this.state.counts, counts);
    this.state.goodFields.push(...goodFields);
    this.state.steering.configure(steering);
    this.state.startedAt = continuation.startedAt;
    this.deadlineAt = continuation.deadlineAt;
  }
}
