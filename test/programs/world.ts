import { join } from 'node:path';
import type { WorkerEnvironment } from '../../src/config/environment.js';
import { loadEnvironment } from '../../src/config/environment.js';
import type { Program } from '../../src/contract/run.js';
import type { ProgramTask } from '../../src/programs/programs.js';
import { WorkerPrograms } from '../../src/programs/worker-programs.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';

export const program = (more: Partial<Program>): Program => ({
  command: 'node',
  args: [],
  env: [],
  files: [],
  timeoutSeconds: 30,
  ...more,
});

/** A program that is a few lines of JavaScript. */
export const script = (text: string, more: Partial<Program> = {}): Program =>
  program({ args: ['-e', text.replaceAll('${', '$${'), '--', ...(more.args ?? [])], ...omitArgs(more) });

const omitArgs = ({ args: _, ...rest }: Partial<Program>): Partial<Program> => rest;

/** A worker with this environment, and its programs. */
export async function openPrograms(env: Record<string, string> = {}) {
  const directory = await temporaryDirectory();
  const environment: WorkerEnvironment = loadEnvironment({ PATH: process.env.PATH ?? '', ...env });
  const evidence = new FolderEvidenceStore(join(directory, 'evidence'));
  const places = join(directory, 'programs');
  const programs = await WorkerPrograms.open({ directory: places, environment, evidence });
  const run = (one: Program, more: Partial<ProgramTask> = {}, signal = new AbortController().signal) =>
    programs.run({ program: one, variables: {}, ...more }, { signal, progress: () => {} });
  return { directory, places, environment, evidence, programs, run };
}
