import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface WorkerProcess {
  pid: number;
  /** All that it printed. */
  output(): string;
  /** Ends it as a power cut would. */
  kill9(): Promise<void>;
  /** Ends it as an orchestrator does. @returns its exit code. */
  terminate(): Promise<number | null>;
}

const ENTRY = fileURLToPath(new URL('../../src/worker.ts', import.meta.url));

/** Starts the product's worker as a process of its own, and waits until it polls. */
export async function startWorkerProcess(env: Record<string, string>): Promise<WorkerProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', ENTRY], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const exited = once(child, 'exit') as Promise<[number | null]>; // the event's first argument
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (line.includes('worker is ready')) resolve();
      });
    }
    child.once('exit', () => reject(new Error(`the worker ended: ${lines.join('\n')}`)));
  });
  onTestFinished(() => end(child, 'SIGKILL', exited).then(() => undefined));
  return {
    pid: child.pid ?? 0,
    output: () => lines.join('\n'),
    kill9: async () => {
      await end(child, 'SIGKILL', exited);
    },
    terminate: () => end(child, 'SIGTERM', exited),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals, exited: Promise<[number | null]>) {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  const [code] = await exited;
  return code;
}
