import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { RunInput } from '../../src/contract/input.js';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { type HarnessSimulator, startHarnessSimulator } from '../../src/demo/harness-simulator/index.js';
import { startTemporal, type TemporalService } from '../../src/demo/services/temporal.js';
import { busySeconds } from './measured.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';

const ACCOUNT = 'benchAccount';
const API_KEY = `pat.${ACCOUNT}.bench.secret`;
const CONCURRENCY = 5;
/** The server may hand an activity at once to the worker whose workflow asks for it: a server of 1.29 has to be told. */
const EAGER = { 'system.enableActivityEagerExecution': 'true' };

export interface WholeRun {
  /** From the start of the workflow to its result. */
  seconds: number;
  /** Of all cores meanwhile. */
  cpu: number;
  /** Of that, the worker's process with all of Temporal's SDK. */
  workerCpu: number;
  /** Of the run itself. */
  events: number;
  result: RunResult;
}

/** The whole product, as it runs: Temporal's server, a worker process, and an account that names the images. */
export class Factory {
  #workers = 0;
  #runs = 0;

  private constructor(
    private readonly directory: string,
    private readonly temporal: TemporalService,
    private readonly harness: HarnessSimulator,
    readonly client: Client,
  ) {}

  /** @param images names without a host, `bench/app-00:1` */
  static async start(program: string, directory: string, images: readonly string[]): Promise<Factory> {
    const temporal = await startTemporal({ program, uiPort: false, dynamicConfig: EAGER });
    const defaults = Object.fromEntries(images.map((image, number) => [`image${number}Tag`, image]));
    const harness = await startHarnessSimulator({
      account: ACCOUNT,
      apiKey: API_KEY,
      defaults: { K8: defaults },
      connectors: [],
    });
    const client = new Client({ connection: await Connection.connect({ address: temporal.address }) });
    return new Factory(directory, temporal, harness, client);
  }

  /** @param source where the worker looks for images. */
  async worker(source: string, env: Record<string, string> = {}): Promise<BenchWorker> {
    const queue = `bench-${++this.#workers}`;
    const process = await startWorkerProcess(join(this.directory, queue), {
      TEMPORAL_ADDRESS: this.temporal.address,
      TEMPORAL_TASK_QUEUE: queue,
      SOURCE_REGISTRY: source,
      HARNESS_URL: this.harness.url,
      HARNESS_API_KEY: API_KEY,
      ...env,
    });
    return { ...process, run: (input) => this.#run(queue, input, process) };
  }

  async stop(): Promise<void> {
    await this.client.connection.close();
    await this.harness.stop();
    await this.temporal.stop();
  }

  async #run(taskQueue: string, input: RunInput, worker: WorkerProcess): Promise<WholeRun> {
    const workflowId = `bench-run-${++this.#runs}`;
    const [began, busy, before] = [performance.now(), busySeconds(), worker.cpu()];
    const handle = await this.client.workflow.start(WORKFLOW.imageFactory, {
      workflowId,
      taskQueue,
      args: [{ maxConcurrency: CONCURRENCY, scan: false, ...input }],
    });
    const result: RunResult = await handle.result();
    const seconds = (performance.now() - began) / 1000;
    const cpu = busySeconds() - busy;
    const workerCpu = worker.cpu() - before;
    const { historyLength } = await handle.describe();
    return { seconds, cpu, workerCpu, events: historyLength, result };
  }
}

export interface BenchWorker extends WorkerProcess {
  run(input: RunInput): Promise<WholeRun>;
}
