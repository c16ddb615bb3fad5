import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { serviceEnvironment } from '../../src/demo/services/environment.js';
import { asideIn, clearAway } from '../clear.js';
import { TICKS_PER_SECOND } from './measured.js';

const ENTRY = fileURLToPath(new URL('../../dist/worker.js', import.meta.url));

export interface WorkerProcess {
  /** User and system time so far, in seconds. */
  cpu(): number;
  /** Resident memory now, in MB. */
  memory(): number;
  /** Resident memory now of the programs that it runs (Trivy), each counted whole, in MB. */
  memoryOfPrograms(): number;
  /** Empties content and evidence, as on another worker that has never seen anything. */
  forget(): Promise<void>;
  /** Empties the content store alone. */
  forgetContent(): Promise<void>;
  stop(): Promise<void>;
}

/** The product's worker as it is in production (`npm run build`), with a directory of its own. */
export async function startWorkerProcess(
  directory: string,
  env: Record<string, string>,
): Promise<WorkerProcess> {
  const [content, reports] = [join(directory, 'content'), join(directory, 'reports')];
  const child = spawn(process.execPath, [ENTRY], {
    env: serviceEnvironment({
      HOME: directory,
      CONTENT_DIR: content,
      REPORT_DIR: reports,
      TRIVY_CACHE_DIR: join(directory, 'trivy'),
      ...env,
    }),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const printed: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      printed.push(line);
      if (line.includes('worker is ready')) resolve();
    });
    child.once('exit', () => reject(new Error(`the worker ended: ${printed.slice(-5).join('\n')}`)));
  });
  const proc = (file: string): string => readFileSync(`/proc/${child.pid}/${file}`, 'utf8');
  // Trivy runs below a shell that ends it with its worker.
  const below = (pid: string | number | undefined): string[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .flatMap((one) => [one, ...below(one)]);
  const programs = (): number[] => below(child.pid).map((pid) => residentMb(pid));
  const empty = (path: string): Promise<void> => clearAway(path, asideIn(dirname(directory)));
  const forgetContent = async (): Promise<void> => {
    // Its own folders stay: the worker made them when it started.
    for (const folder of ['blobs/sha256', 'ingest', 'analyses']) {
      await empty(join(content, folder));
      await mkdir(join(content, folder));
    }
  };
  return {
    cpu: () => {
      // Fields 14 and 15 (proc(5)); the name before them may hold spaces.
      const fields = proc('stat').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    },
    memory: () => residentMb(child.pid),
    memoryOfPrograms: () => programs().reduce((sum, megabytes) => sum + megabytes, 0),
    forget: async () => {
      await Promise.all([forgetContent(), empty(reports)]);
    },
    forgetContent,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      await empty(directory);
    },
  };
}

/** Nothing for a process that has just ended. */
function residentMb(pid: number | string | undefined): number {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0;
    return (Number(kibibytes) * 1024) / 1e6;
  } catch {
    return 0;
  }
}
