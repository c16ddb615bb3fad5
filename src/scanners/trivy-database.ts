import { mkdir, readdir, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FactoryError, messageOf } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import type { Digest } from '../contract/brand.js';
import type { DatabasePin } from '../contract/verdict.js';
import { anonymous, type CredentialProvider } from '../registry/credentials.js';
import { hexOf } from '../registry/digest.js';
import { formatReference, parseReference } from '../registry/reference.js';
import type { Registry } from '../registry/types.js';
import { codeOf, isAbandoned, writerName } from '../store/writers.js';
import { topLevelBuckets } from './bbolt-buckets.js';
import type { TrivyProcess } from './trivy-process.js';

export interface DatabaseOptions {
  /** Trivy's cache directory (`TRIVY_CACHE_DIR`). Pinned databases lie in `pinned/` there. */
  cacheDir: string;
  /** `host/path[:tag]`, or several with commas, in the order to try, as Trivy reads them. */
  dbRepository: string;
  javaDbRepository: string;
  /** Use the databases that are in the cache directory, as they are. */
  skipDbUpdate: boolean;
  skipJavaDbUpdate: boolean;
  /** Hosts that speak plain HTTP, or whose certificate is not checked. */
  insecureHosts: readonly string[];
  registry: Registry;
  /** For repositories of databases that want a login; anonymous without. */
  credentials?: CredentialProvider;
}

/** A database that is on this worker. */
export interface ReadyDatabase {
  cacheDir: string;
  updatedAt: string;
  scannerVersion: string;
  /** What it has advisories for. */
  buckets: ReadonlySet<string>;
}

type Kind = 'db' | 'java-db';

/** What Trivy itself takes where the repository has no tag: the schema's version. */
const DEFAULT_TAG: Record<Kind, string> = { db: '2', 'java-db': '1' };
/** A run may outlast a night's update, and another may have begun: that many stay. */
const KEPT = 3;
const HOUR_MS = 3_600_000;

/** The vulnerability databases of a worker: fixed by digest, shared by all its scans and by other processes. */
export class TrivyDatabases {
  readonly #options: DatabaseOptions;
  readonly #trivy: TrivyProcess;
  readonly #underWay = new Map<string, { done: Promise<void>; signal: AbortSignal }>();

  constructor(options: DatabaseOptions, trivy: TrivyProcess) {
    // Trivy runs in a directory of its own.
    this.#options = { ...options, cacheDir: resolve(options.cacheDir) };
    this.#trivy = trivy;
  }

  /** The newest database, brought here. @throws FactoryError `DatabaseTooOld`, `DatabaseUnavailable` */
  async pin(maxAgeHours: number, context: StepContext): Promise<DatabasePin> {
    const { skipDbUpdate, skipJavaDbUpdate } = this.#options;
    const digest = skipDbUpdate ? null : await this.#newest('db', context.signal);
    const javaDigest = skipJavaDbUpdate ? null : await this.#newest('java-db', context.signal);
    const { updatedAt } = await this.#open({ digest, javaDigest }, context);
    const now = Date.now();
    if (now - Date.parse(updatedAt) > maxAgeHours * HOUR_MS) {
      const remedy = skipDbUpdate
        ? `update the database in ${this.#options.cacheDir}, or unset TRIVY_SKIP_DB_UPDATE`
        : `point TRIVY_DB_REPOSITORY to one that is kept current (now ${this.#options.dbRepository})`;
      throw new FactoryError(
        'DatabaseTooOld',
        `The vulnerability database is of ${updatedAt}, and now it is ${new Date(now).toISOString()}: more than the ${maxAgeHours} hours that the policy allows; ${remedy}.`,
      );
    }
    return { updatedAt, digest, javaDigest };
  }

  /** The pinned database, fetched by its digest where it is not here. @throws FactoryError `DatabaseMismatch` */
  async ensure(pin: DatabasePin, context: StepContext): Promise<ReadyDatabase> {
    const ready = await this.#open(pin, context);
    if (Date.parse(ready.updatedAt) !== Date.parse(pin.updatedAt)) {
      throw new FactoryError(
        'DatabaseMismatch',
        `This worker's vulnerability database is of ${ready.updatedAt}, but the run uses the one of ${pin.updatedAt}: give all workers the same, or unset TRIVY_SKIP_DB_UPDATE.`,
      );
    }
    return ready;
  }

  async #open(pin: Pick<DatabasePin, 'digest' | 'javaDigest'>, context: StepContext): Promise<ReadyDatabase> {
    const cacheDir = await this.#directory(pin, context);
    const { version, databaseUpdatedAt } = await this.#trivy.version(cacheDir, context);
    if (databaseUpdatedAt === undefined) {
      throw new FactoryError(
        'DatabaseUnavailable',
        `There is no vulnerability database in ${this.#options.cacheDir}: put one there, or unset TRIVY_SKIP_DB_UPDATE.`,
      );
    }
    const file = join(cacheDir, 'db', 'trivy.db');
    const buckets = await topLevelBuckets(file).catch((error: unknown) => {
      const message = `The vulnerability database ${file} can't be read (${messageOf(error)}): remove it, so that it is fetched again.`;
      throw new FactoryError('DatabaseUnavailable', message);
    });
    return { cacheDir, updatedAt: databaseUpdatedAt, scannerVersion: version, buckets };
  }

  async #directory(
    { digest, javaDigest }: Pick<DatabasePin, 'digest' | 'javaDigest'>,
    context: StepContext,
  ): Promise<string> {
    const { cacheDir } = this.#options;
    if (digest === null && javaDigest === null) return cacheDir;
    const short = (one: Digest | null): string => (one === null ? 'local' : hexOf(one).slice(0, 16));
    const directory = join(cacheDir, 'pinned', `${short(digest)}-${short(javaDigest)}`);
    for (;;) {
      const other = this.#underWay.get(directory);
      if (other === undefined) break;
      try {
        await untilAborted(other.done, context.signal);
      } catch (error) {
        // Cancelling the one who downloads must not fail those who only wait: the next of them takes over.
        if (!other.signal.aborted || context.signal.aborted) throw error;
      }
    }
    // Nothing is awaited between the look above and this: of many who wait, one goes on.
    const done = this.#fetch(directory, { digest, javaDigest }, context);
    this.#underWay.set(directory, { done, signal: context.signal });
    await done.finally(() => this.#underWay.delete(directory));
    const now = new Date();
    await utimes(directory, now, now).catch(() => undefined); // only a hint for what to keep
    return directory;
  }

  /** Into a directory that is renamed when complete, so other processes see all of it or nothing. */
  async #fetch(
    directory: string,
    pin: Pick<DatabasePin, 'digest' | 'javaDigest'>,
    context: StepContext,
  ): Promise<void> {
    if (await exists(directory)) return;
    const pinned = join(this.#options.cacheDir, 'pinned');
    const temporary = join(pinned, `.${writerName()}`);
    await mkdir(temporary, { recursive: true });
    try {
      await this.#part('db', pin.digest, temporary, context);
      await this.#part('java-db', pin.javaDigest, temporary, context);
      await rename(temporary, directory).catch((error: unknown) => {
        // Another process was faster; what it has is the same.
        if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    await sweep(pinned, directory);
  }

  async #part(kind: Kind, digest: Digest | null, cacheDir: string, context: StepContext): Promise<void> {
    if (digest === null) {
      await symlink(join(this.#options.cacheDir, kind), join(cacheDir, kind));
      return;
    }
    await this.#firstOf(kind, context.signal, async (repository) => {
      const { host } = repository;
      const reference = formatReference({ ...repository, tag: null, digest });
      const insecure = this.#options.insecureHosts.includes(host);
      const login = await (this.#options.credentials ?? anonymous).forHost(host);
      await this.#trivy.download(kind, reference, { cacheDir, insecure, login, context });
    });
  }

  async #newest(kind: Kind, signal: AbortSignal): Promise<Digest> {
    return this.#firstOf(kind, signal, async (repository) => {
      const reference = formatReference(repository);
      const found = await this.#options.registry.head(reference, signal);
      if (found !== undefined) return found.digest;
      throw new FactoryError('DatabaseUnavailable', `${reference} does not exist`);
    });
  }

  /** Tries the repositories in their order. @throws FactoryError `DatabaseUnavailable` with what each said. */
  async #firstOf<T>(
    kind: Kind,
    signal: AbortSignal,
    use: (repository: ReturnType<typeof parseReference>) => Promise<T>,
  ): Promise<T> {
    const list = kind === 'db' ? this.#options.dbRepository : this.#options.javaDbRepository;
    const faults: string[] = [];
    for (const text of list.split(',').map((one) => one.trim())) {
      try {
        const tagged = /[@:][^/]*$/.test(text) ? text : `${text}:${DEFAULT_TAG[kind]}`;
        return await use(parseReference(tagged));
      } catch (error) {
        if (error instanceof FactoryError && error.type === 'ScannerMissing') throw error;
        signal.throwIfAborted();
        faults.push(messageOf(error));
      }
    }
    const names: [string, string, string] =
      kind === 'db'
        ? ['vulnerability database', 'TRIVY_DB_REPOSITORY', 'TRIVY_SKIP_DB_UPDATE']
        : ['Java database', 'TRIVY_JAVA_DB_REPOSITORY', 'TRIVY_SKIP_JAVA_DB_UPDATE'];
    throw new FactoryError(
      'DatabaseUnavailable',
      `The ${names[0]} could not be fetched (${faults.join('; ')}): set ${names[1]} to a copy that the worker reaches, or ${names[2]} if it has one already.`,
    );
  }
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Removes what dead processes left, and all but the databases used last. */
async function sweep(pinned: string, newest: string): Promise<void> {
  const found: { path: string; usedMs: number }[] = [];
  for (const name of await readdir(pinned)) {
    const path = join(pinned, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats === undefined) continue;
    if (!name.startsWith('.')) found.push({ path, usedMs: path === newest ? Infinity : stats.mtimeMs });
    else if (isAbandoned(name.slice(1), stats.mtimeMs)) await rm(path, { recursive: true, force: true });
  }
  found.sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of found.slice(KEPT)) await rm(path, { recursive: true, force: true });
}
