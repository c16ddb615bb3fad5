import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FactoryError, messageOf } from '../../src/common/errors.js';
import { runProgram } from '../../src/common/process.js';
import type { ProgramEnd, Programs, ProgramTask } from '../../src/programs/programs.js';

/**
 * Runs real programs in a directory of their own, with the PATH and these variables, of which each gets what it names in
 * `env`: the port as far as scanners need it.
 */
export const testPrograms = (variables: Readonly<Record<string, string>> = {}): Programs => ({
  run: async ({ program, variables: known, result }: ProgramTask, { signal }): Promise<ProgramEnd> => {
    const place = await mkdtemp(join(tmpdir(), 'image-factory-program-'));
    const output = result === undefined ? undefined : join(place, 'results', result.path);
    const values = { ...known, ...(output === undefined ? {} : { output }) };
    const expand = (text: string): string =>
      text.replace(
        /\$\{([a-z.]+)\}/g,
        (whole, name: string) => Object.entries(values).find(([key]) => key === name)?.[1] ?? whole,
      );
    const env = Object.fromEntries(program.env.map((name) => [name, variables[name] ?? '']));
    const started = Date.now();
    try {
      await mkdir(join(place, 'work'));
      await mkdir(dirname(output ?? join(place, 'results', 'none')), { recursive: true });
      const { code, stdout, stderr } = await runProgram(program.command, program.args.map(expand), {
        env: { PATH: process.env.PATH ?? '', HOME: place, ...env },
        cwd: join(place, 'work'),
        timeoutMs: program.timeoutSeconds * 1000,
        signal,
      });
      const written = output === undefined ? undefined : await readBounded(output, result?.maxBytes ?? 0);
      return {
        code,
        ms: Date.now() - started,
        output: stdout + stderr,
        ...(written === undefined ? {} : { result: written }),
      };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof FactoryError) throw error;
      throw new FactoryError('StepFailed', `${program.command} failed: ${messageOf(error)}`);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  },
});

async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    if (size > maxBytes) throw new FactoryError('StepFailed', `it wrote more than ${maxBytes} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
