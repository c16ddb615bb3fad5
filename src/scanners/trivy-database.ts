import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FactoryError, messageOf } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import type { DatabasePin } from '../contract/verdict.js';
import { anonymous, type CredentialProvider } from '../registry/credentials.js';
import { topLevelBuckets } from './bbolt-buckets.js';
import { fetchDatabase, newestDatabase, type RepositoryOptions } from './database-repositories.js';
import { PinnedDatabases, type PinnedPair } from './pinned-databases.js';
import type { TrivyProcess } from './trivy-process.js';

export interface DatabaseOptions extends RepositoryOptions {
  /** Trivy's cache directory (`TRIVY_CACHE_DIR`). Pinned databases lie in `pinned/` there. */
  cacheDir: string;
  /** Use the databases that are in the cache directory, as they are. */
  skipDbUpdate: boolean;
  skipJavaDbUpdate: boolean;
  /** Hosts that speak plain HTTP, or whose certificate is not checked. */
  insecureHosts: readonly string[];
  /** For repositories of databases that want a login; anonymous without. */
  credentials?: CredentialProvider;
  /** PEM certificates that Trivy trusts besides the system's when it downloads (`EXTRA_CA_FILE`). */
  extraCaFile?: string | null;
}

/** A database that is on this worker. */
export interface ReadyDatabase {
  cacheDir: string;
  updatedAt: string;
  scannerVersion: string;
  /** Which Java database lies beside it; empty when there is none. */
  javaVersion: string;
  /** What it has advisories for. */
  buckets: ReadonlySet<string>;
}

const HOUR_MS = 3_600_000;
/** A wrapper's own file stays when the Trivy behind it is another. */
const LOOK_AGAIN_MS = 10 * 60_000;

/** The vulnerability databases of a worker: fixed by digest, shared by all its scans and by other processes. */
export class TrivyDatabases {
  readonly #options: DatabaseOptions;
  readonly #trivy: TrivyProcess;
  readonly #pinned: PinnedDatabases;
  /** What was found last, and the files of then: every scan asks for it, and to start Trivy takes 0.1 s of CPU. */
  #looked: { stamp: string; at: number; ready: ReadyDatabase } | undefined;

  constructor(options: DatabaseOptions, trivy: TrivyProcess) {
    // Trivy runs in a directory of its own.
    this.#options = { ...options, cacheDir: resolve(options.cacheDir) };
    this.#trivy = trivy;
    this.#pinned = new PinnedDatabases(this.#options.cacheDir);
  }

  /**
   * The newest database, brought here.
   * @throws FactoryError `DatabaseTooOld`, `DatabaseUnavailable`, `DatabaseMisconfigured`
   */
  async pin(maxAgeHours: number, context: StepContext): Promise<DatabasePin> {
    const { signal } = context;
    const { skipDbUpdate, skipJavaDbUpdate } = this.#options;
    const digest = skipDbUpdate ? null : await newestDatabase('db', this.#options, signal);
    const javaDigest = skipJavaDbUpdate ? null : await newestDatabase('java-db', this.#options, signal);
    const { updatedAt } = await this.#open({ digest, javaDigest }, context, async (ready) => ready);
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

  /**
   * Works with the pinned database, fetched by its digest where it is not here; it stays as long as the work takes.
   * @throws FactoryError `DatabaseMismatch`, `DatabaseUnavailable`, `DatabaseMisconfigured`
   */
  async use<T>(
    pin: DatabasePin,
    context: StepContext,
    work: (ready: ReadyDatabase) => Promise<T>,
  ): Promise<T> {
    return this.#open(pin, context, async (ready) => {
      if (Date.parse(ready.updatedAt) === Date.parse(pin.updatedAt)) return work(ready);
      throw new FactoryError(
        'DatabaseMismatch',
        `This worker's vulnerability database is of ${ready.updatedAt}, but the run uses the one of ${pin.updatedAt}: give all workers the same, or unset TRIVY_SKIP_DB_UPDATE.`,
      );
    });
  }

  #open<T>(pair: PinnedPair, context: StepContext, work: (ready: ReadyDatabase) => Promise<T>): Promise<T> {
    const { insecureHosts, credentials = anonymous, extraCaFile = null } = this.#options;
    return this.#pinned.use(
      pair,
      context.signal,
      (kind, digest, cacheDir) =>
        fetchDatabase(kind, digest, this.#options, context.signal, async (reference, host) => {
          const login = await credentials.forHost(host);
          const insecure = insecureHosts.includes(host);
          await this.#trivy.download(kind, reference, { cacheDir, insecure, login, extraCaFile, context });
        }),
      async (cacheDir) => work(await this.#ready(pair, cacheDir, context)),
    );
  }

  async #ready(pair: PinnedPair, cacheDir: string, context: StepContext): Promise<ReadyDatabase> {
    const databases = ['db/trivy.db', 'db/metadata.json', 'java-db/metadata.json'];
    const stamp = await stampOf([...this.#trivy.files(), ...databases.map((file) => join(cacheDir, file))]);
    const last = this.#looked;
    if (last?.stamp === stamp && performance.now() - last.at < LOOK_AGAIN_MS) return last.ready;
    const ready = await this.#look(pair, cacheDir, context);
    this.#looked = { stamp, at: performance.now(), ready };
    return ready;
  }

  async #look(
    { digest, javaDigest }: PinnedPair,
    cacheDir: string,
    context: StepContext,
  ): Promise<ReadyDatabase> {
    const { version, databaseUpdatedAt } = await this.#trivy.version(cacheDir, context);
    if (databaseUpdatedAt === undefined && digest === null) {
      throw new FactoryError(
        'DatabaseMisconfigured',
        `There is no vulnerability database in ${this.#options.cacheDir}: put one there, or unset TRIVY_SKIP_DB_UPDATE.`,
      );
    }
    const damaged = (why: string): FactoryError => {
      const remedy = digest === null ? 'put a whole one there' : 'remove it, so that it is fetched again';
      const message = `The vulnerability database ${this.#pinned.pathOf('db', digest)} can't be read (${why}): ${remedy}.`;
      return new FactoryError('DatabaseUnavailable', message);
    };
    if (databaseUpdatedAt === undefined) throw damaged('it has no metadata.json that Trivy knows');
    const buckets = await topLevelBuckets(join(cacheDir, 'db', 'trivy.db')).catch((error: unknown) => {
      throw damaged(messageOf(error));
    });
    const javaVersion =
      javaDigest ?? (await readFile(join(cacheDir, 'java-db', 'metadata.json'), 'utf8').catch(() => ''));
    return { cacheDir, updatedAt: databaseUpdatedAt, scannerVersion: version, javaVersion, buckets };
  }
}

/** Another text when one of these files is another, has changed, came or went. */
async function stampOf(files: readonly string[]): Promise<string> {
  const states = files.map(async (file) => {
    const stats = await stat(file, { bigint: true }).catch(() => undefined);
    return [file, stats?.ino, stats?.size, stats?.mtimeNs, stats?.ctimeNs].join(' ');
  });
  return (await Promise.all(states)).join('\n');
}
