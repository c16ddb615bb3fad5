import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { z } from 'zod';
import { FactoryError, messageOf } from '../common/errors.js';
import { type RunResult, runProgram, STDERR_TAIL } from '../common/process.js';
import type { StepContext } from '../common/step.js';
import type { Credential } from '../registry/credentials.js';
import { scrub, withoutSecrets } from '../registry/errors.js';
import { codeOf } from '../store/writers.js';

const SCAN_MS = 15 * 60_000;
/** The full database is 100 MB compressed, the Java one 700 MB. */
const DOWNLOAD_MS = 15 * 60_000;
const VERSION_MS = 30_000;
/** How often a running program shows that it is alive: well below the 15 s of a heartbeat's timeout. */
const PULSE_MS = 2_000;
/** A report with every package of a large image is 5 MB. */
const MAX_REPORT_BYTES = 256 << 20;

/** In every call: nothing is read from where it runs, and nothing is told to anyone. */
const ALWAYS = ['--config', '', '--skip-version-check', '--disable-telemetry'];

/** What a download needs of the worker's environment to get out of its network. */
const NETWORK = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

const versionSchema = z.object({
  Version: z.string(),
  VulnerabilityDB: z.object({ UpdatedAt: z.iso.datetime() }).optional(),
});

export interface TrivyVersion {
  version: string;
  /** When the database in the cache directory was made, ISO 8601 UTC; undefined when there is none. */
  databaseUpdatedAt: string | undefined;
}

/** Runs Trivy where nothing but its arguments can sway it: a clean environment, an empty home and directory. */
export class TrivyProcess {
  private readonly program: string;

  /** @param program a path, or a name on the PATH. */
  constructor(program: string) {
    // It runs in a directory of its own, where a relative path leads elsewhere.
    this.program = program.includes('/') ? resolve(program) : program;
  }

  /** Where the program may lie: as long as none of these files changes, it is the same one. */
  files(): string[] {
    if (this.program.includes('/')) return [this.program];
    return (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, this.program));
  }

  /** @throws FactoryError `ScannerMissing`, `ScannerFailed` */
  async version(cacheDir: string, context: StepContext): Promise<TrivyVersion> {
    const { stdout } = await this.#inEmptyPlace((place) =>
      this.#run(place, ['version', '--format', 'json', '--cache-dir', cacheDir, '--config', ''], {
        context,
        phase: 'database',
        timeoutMs: VERSION_MS,
      }),
    );
    try {
      const { Version, VulnerabilityDB } = versionSchema.parse(JSON.parse(stdout));
      const updatedAt = VulnerabilityDB?.UpdatedAt;
      return {
        version: Version,
        databaseUpdatedAt: updatedAt === undefined ? undefined : new Date(updatedAt).toISOString(),
      };
    } catch {
      throw new FactoryError(
        'ScannerFailed',
        `${this.program} does not tell its version as Trivy does; see what it is.`,
      );
    }
  }

  /**
   * Downloads a database into a cache directory.
   *
   * @param reference `host/path@digest`.
   * @throws FactoryError `DatabaseUnavailable`, `ScannerMissing`
   */
  async download(
    kind: 'db' | 'java-db',
    reference: string,
    options: {
      cacheDir: string;
      insecure: boolean;
      login: Credential | undefined;
      extraCaFile: string | null;
      context: StepContext;
    },
  ): Promise<void> {
    const what =
      kind === 'db'
        ? ['--download-db-only', '--db-repository', reference]
        : ['--download-java-db-only', '--java-db-repository', reference];
    const flags = [
      '--cache-dir',
      options.cacheDir,
      '--no-progress',
      ...(options.insecure ? ['--insecure'] : []),
      // Besides the system's; SSL_CERT_FILE would take their place.
      ...(options.extraCaFile === null ? [] : ['--cacert', resolve(options.extraCaFile)]),
    ];
    const { code, stderr } = await this.#inEmptyPlace(async (place) => {
      if (options.login !== undefined) await writeLogin(place, reference, options.login);
      return this.#run(place, ['image', ...ALWAYS, '--ignorefile', '', ...what, ...flags], {
        context: options.context,
        phase: 'database',
        timeoutMs: DOWNLOAD_MS,
        network: true,
      });
    });
    if (code === 0) return;
    const message = `Trivy could not download ${reference}: ${lastWords(stderr)}; check that the worker reaches it.`;
    throw new FactoryError('DatabaseUnavailable', message);
  }

  /**
   * Scans a layout, unfiltered.
   *
   * @param place a directory of its own, which holds `run/image`, the layout.
   * @param options.analyses where what is known of layers is asked and kept, as `serveAnalyses` gives it.
   * @returns Trivy's JSON as it is.
   * @throws FactoryError `ScannerFailed`, `ScannerMissing`
   */
  async scan(
    place: string,
    options: { cacheDir: string; analyses: string; offline: boolean; context: StepContext },
  ): Promise<Buffer> {
    const output = join(place, 'report.json');
    const args = ['image', ...ALWAYS, '--ignorefile', '', '--cache-dir', options.cacheDir];
    args.push('--skip-db-update', '--skip-java-db-update');
    if (options.offline) args.push('--offline-scan');
    args.push('--scanners', 'vuln', '--list-all-pkgs', '--timeout', `${SCAN_MS / 1000}s`);
    args.push('--format', 'json', '--output', output, '--input', 'image');
    // Not an argument: every user of the machine sees those, and there is a password in it.
    const environment = { TRIVY_CACHE_BACKEND: options.analyses };
    const run = { context: options.context, phase: 'scan', timeoutMs: SCAN_MS, environment };
    const { code, stderr } = await this.#run(place, args, run);
    const report = await readBounded(output);
    // Code 1 is every error (measured), and code 0 without a report is one too.
    if (code === 0 && report !== undefined) return report;
    throw new FactoryError('ScannerFailed', `Trivy made no report: ${lastWords(stderr)}.`);
  }

  async #inEmptyPlace<T>(use: (place: string) => Promise<T>): Promise<T> {
    const place = await mkdtemp(join(tmpdir(), 'image-factory-trivy-'));
    try {
      return await use(place);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  }

  async #run(
    place: string,
    args: string[],
    options: {
      context: StepContext;
      phase: string;
      timeoutMs: number;
      network?: boolean;
      environment?: Record<string, string>;
    },
  ): Promise<RunResult> {
    const { signal } = options.context;
    const pulse = (): void => options.context.progress({ phase: options.phase });
    const directory = (name: string): string => join(place, name);
    for (const name of ['home', 'tmp', 'run']) await mkdir(directory(name), { recursive: true });
    const env = {
      ...(process.env.PATH === undefined ? {} : { PATH: process.env.PATH }),
      HOME: directory('home'),
      TMPDIR: directory('tmp'),
      ...(options.network === true ? networkEnvironment() : {}),
      ...options.environment,
    };
    pulse();
    const timer = setInterval(pulse, PULSE_MS);
    try {
      const run = { env, cwd: directory('run'), signal, timeoutMs: options.timeoutMs, endsWithUs: true };
      const result = await runProgram(this.program, args, run);
      if (result.code !== 126 && result.code !== 127) return result;
      const message = `${this.program} was not found or can't be run: install Trivy 0.76 and put it on the worker's PATH.`;
      throw new FactoryError('ScannerMissing', message);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof FactoryError) throw error;
      throw new FactoryError('ScannerFailed', `Trivy was stopped: ${scrub(messageOf(error))}.`);
    } finally {
      clearInterval(timer);
    }
  }
}

function networkEnvironment(): Record<string, string> {
  const names = NETWORK.flatMap((upper) => [upper, upper.toLowerCase()]);
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/**
 * Gives Trivy the login of one host, in the home that it gets: not the user's own file, whose credential helpers would
 * be looked for, and not `TRIVY_PASSWORD`, which goes to every registry and breaks at a comma.
 */
async function writeLogin(place: string, reference: string, login: Credential): Promise<void> {
  const host = reference.split('/', 1)[0] ?? '';
  const key = host === 'docker.io' ? 'https://index.docker.io/v1/' : host;
  const entry =
    login.kind === 'password'
      ? { auth: Buffer.from(`${login.user}:${login.password}`).toString('base64') }
      : { identitytoken: login.token };
  const directory = join(place, 'home', '.docker');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'config.json'), JSON.stringify({ auths: { [key]: entry } }), {
    mode: 0o600,
  });
}

/** The innermost cause in what Trivy wrote last, without what could be a secret. */
function lastWords(stderr: string): string {
  // Where its beginning was cut off, the first word may be the rest of a URL, which nothing below would know.
  const known = stderr.length < STDERR_TAIL ? stderr : stderr.replace(/^\S*/, '');
  const lines = known.split('\n').filter((line) => line.trim() !== '');
  const fatal = lines.findLastIndex((line) => line.includes('FATAL'));
  const text = (fatal < 0 ? lines.slice(-1) : lines.slice(fatal)).join(' ');
  const words = withoutSecrets(text)
    .replace(/^.*?\bFATAL\s+(?:Fatal error\s+)?/, '')
    .replace(/\s+/g, ' ');
  // Trivy puts the outer causes first; the last 200 characters say what really happened.
  return words.slice(-200).trim().replace(/\.$/, '') || 'it said nothing';
}

async function readBounded(path: string): Promise<Buffer | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = await file.stat();
    if (size <= MAX_REPORT_BYTES) return await file.readFile();
    throw new FactoryError('ScannerFailed', `Trivy's report has ${size} bytes, which no image should need.`);
  } finally {
    await file.close();
  }
}
