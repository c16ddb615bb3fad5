import { defineQuery, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import { PROGRESS_QUERY } from '../contract/names.js';
import type { Step, StepRecord } from '../contract/outcome.js';
import type { ImageProgress } from '../contract/progress.js';

const progressQuery = defineQuery<ImageProgress>(PROGRESS_QUERY);

/** Which step an image is in and how long each took: for the query, the Web UI and the report. */
export class Track {
  readonly steps: StepRecord[] = [];
  #current: Step | null = null;

  constructor(image: string) {
    setHandler(progressQuery, () => ({ version: 1, image, step: this.#current, steps: this.steps }));
    setCurrentDetails(`**${image}** for run \`${workflowInfo().parent?.workflowId ?? 'none'}\``);
  }

  async step<T>(step: Step, work: () => Promise<T>): Promise<T> {
    const started = Date.now();
    this.#current = step;
    setCurrentDetails([...this.steps.map((s) => `- ${s.step}: ${s.ms} ms`), `- **${step}** …`].join('\n'));
    try {
      return await work();
    } finally {
      this.steps.push({ step, at: new Date(started).toISOString(), ms: Date.now() - started });
      this.#current = null;
      setCurrentDetails(this.steps.map((s) => `- ${s.step}: ${s.ms} ms`).join('\n'));
    }
  }
}
