import {
  type Client,
  isGrpcCancelledError,
  type WorkflowHandle,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { defaultDataConverter } from '@temporalio/common';
import { z } from 'zod';
import { PROGRESS_QUERY } from '../../contract/names.js';
import { STEPS, type Step } from '../../contract/outcome.js';
import type { RunProgress } from '../../contract/progress.js';
import { type Retry, retriesAmong } from '../pending.js';

/** Left alone, the SDK tries a query for half a minute, and the picture would stand still. */
const ANSWER_WITHIN_MS = 5_000;

/** What one image's child workflow shows without a worker: its pending activity. */
export interface ImageLook {
  image: string;
  workflowId: string;
  step: Step | null;
  attempt: number;
  /** Differs when the worker has said more since the look before. */
  beat: string;
  /** What the step's last heartbeat said; null where it said nothing that we know. */
  said: HeartbeatDetails | null;
  retries: Retry[];
}

/** One look at a run. */
export interface Look {
  startedAt: number;
  /** Null while it goes on. */
  endedAt: number | null;
  /** Undefined when no worker answers just now. */
  run: RunProgress | undefined;
  images: ImageLook[];
  retries: Retry[];
}

/** Written by a worker of any version, so only what is understood counts. */
const heartbeatDetails = z.object({
  phase: z.string(),
  bytes: z.number().nonnegative().optional(),
  total: z.number().nonnegative().optional(),
});
export type HeartbeatDetails = z.infer<typeof heartbeatDetails>;

type Description = Awaited<ReturnType<WorkflowHandle['describe']>>;
/** As much of a description as an image's row is made of. */
type Pending = { raw: Pick<Description['raw'], 'pendingActivities'> };
type PendingActivity = NonNullable<Pending['raw']['pendingActivities']>[number];

/** Looks at one run, through all its executions. */
export class Looker {
  #startedAt: number | undefined;
  #firstRunId: string | undefined;

  constructor(
    private readonly client: Client,
    private readonly workflowId: string,
  ) {}

  /**
   * One description of the run, one query, and a description of each image in work: at most `maxConcurrency`.
   *
   * @returns undefined when the run ended and another one has its id by now
   */
  async look(): Promise<Look | undefined> {
    // A very long run goes on in further executions, so this asks for whichever is the last.
    const description = await this.client.workflow.getHandle(this.workflowId).describe();
    const { runId, raw, status, closeTime } = description;
    const firstRunId = raw.workflowExecutionInfo?.firstRunId || runId;
    this.#firstRunId ??= firstRunId;
    if (this.#firstRunId !== firstRunId) return undefined;
    this.#startedAt ??= await this.#firstStart(description, firstRunId);
    const handle = this.client.workflow.getHandle(this.workflowId, runId);
    const run = await this.client
      .withDeadline(Date.now() + ANSWER_WITHIN_MS, () => handle.query<RunProgress>(PROGRESS_QUERY))
      .catch((error: unknown) => {
        if (isGrpcCancelledError(error)) throw error; // nobody looks any more: that says nothing of the worker
        return undefined;
      });
    const open = status.name === 'RUNNING' ? (run?.running ?? []) : [];
    const images = await Promise.all(
      // After the limit was lowered more may be in work for a while; those are shown without their bytes.
      open.slice(0, run?.maxConcurrency).map(({ image, workflowId }) => this.#image(image, workflowId)),
    );
    return {
      startedAt: this.#startedAt,
      endedAt: closeTime?.getTime() ?? null,
      run,
      images: images.filter((image) => image !== undefined),
      retries: retriesIn(description),
    };
  }

  async #image(image: string, workflowId: string): Promise<ImageLook | undefined> {
    try {
      return imageLook(image, workflowId, await this.client.workflow.getHandle(workflowId).describe());
    } catch {
      return undefined; // between two looks it ended, or the server has more to do: the next look has it
    }
  }

  /** People count from the first execution. */
  async #firstStart({ runId, startTime }: Description, firstRunId: string): Promise<number> {
    if (firstRunId === runId) return startTime.getTime();
    try {
      const first = await this.client.workflow.getHandle(this.workflowId, firstRunId).describe();
      return first.startTime.getTime();
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return startTime.getTime(); // older than the server keeps
      throw error;
    }
  }
}

/** What a child's description says of its image. */
export function imageLook(image: string, workflowId: string, description: Pending): ImageLook {
  const pending = description.raw.pendingActivities ?? [];
  const current = pending.find((activity) => stepOf(activity) !== null);
  const beat = current?.lastHeartbeatTime;
  return {
    image,
    workflowId,
    step: current ? stepOf(current) : null,
    attempt: current?.attempt ?? 0,
    beat: `${beat?.seconds ?? ''}.${beat?.nanos ?? ''}`,
    said: current ? saidBy(current) : null,
    retries: retriesIn(description),
  };
}

/** `pushImage` is the step `push`, and so on. */
const stepOf = ({ activityType }: PendingActivity): Step | null =>
  STEPS.find((step) => activityType?.name === `${step}Image`) ?? null;

function saidBy({ heartbeatDetails: details }: PendingActivity): HeartbeatDetails | null {
  const payload = details?.payloads?.[0];
  if (!payload) return null;
  try {
    const { data } = heartbeatDetails.safeParse(defaultDataConverter.payloadConverter.fromPayload(payload));
    return data ?? null;
  } catch {
    return null; // in an encoding of somebody else
  }
}

const retriesIn = ({ raw }: Pending): Retry[] => retriesAmong(raw.pendingActivities ?? []);
