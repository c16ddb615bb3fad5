import { FactoryError, messageOf } from '../common/errors.js';
import type { Digest, Reference } from '../contract/brand.js';
import { UnreachableError } from '../registry/errors.js';
import { formatReference, parseReference } from '../registry/reference.js';
import type { Registry } from '../registry/types.js';

/** The two databases, as Trivy names their directories. */
export type DatabaseKind = 'db' | 'java-db';

export interface RepositoryOptions {
  /** `host/path[:tag]`, or several with commas, in the order to try, as Trivy reads them. */
  dbRepository: string;
  javaDbRepository: string;
  registry: Registry;
}

/** What Trivy itself takes where the repository has no tag: the schema's version. */
const DEFAULT_TAG: Record<DatabaseKind, string> = { db: '2', 'java-db': '1' };

/** The digest that the newest database has now. @throws FactoryError `DatabaseUnavailable`, `DatabaseMisconfigured` */
export async function newestDatabase(
  kind: DatabaseKind,
  options: RepositoryOptions,
  signal: AbortSignal,
): Promise<Digest> {
  return firstRepository(kind, options, signal, (repository) =>
    digestAt(formatReference(repository), options, signal),
  );
}

/**
 * Brings the database with a digest here from the first repository that has it.
 *
 * @param download gets `host/path@digest` and the host.
 * @throws FactoryError `DatabaseUnavailable`, `DatabaseMisconfigured`
 */
export async function fetchDatabase(
  kind: DatabaseKind,
  digest: Digest,
  options: RepositoryOptions,
  signal: AbortSignal,
  download: (reference: Reference, host: string) => Promise<void>,
): Promise<void> {
  await firstRepository(kind, options, signal, async (repository) => {
    const reference = formatReference({ ...repository, tag: null, digest });
    // Trivy has one exit code for every fault; the registry's own answer says whether another attempt can help.
    await digestAt(reference, options, signal);
    await download(reference, repository.host);
  });
}

async function digestAt(
  reference: Reference,
  { registry }: RepositoryOptions,
  signal: AbortSignal,
): Promise<Digest> {
  const found = await registry.head(reference, signal);
  if (found !== undefined) return found.digest;
  throw new FactoryError('DatabaseMisconfigured', `${reference} does not exist`);
}

function readRepository(text: string, kind: DatabaseKind): ReturnType<typeof parseReference> {
  try {
    return parseReference(/[@:][^/]*$/.test(text) ? text : `${text}:${DEFAULT_TAG[kind]}`);
  } catch (error) {
    throw new FactoryError('DatabaseMisconfigured', messageOf(error));
  }
}

/**
 * Whether the same call fails again until someone changes a setting. An unknown host counts as that here, else a worker
 * without a way out waits for a name that will never be known; a look-up that got no answer is `EAI_AGAIN`.
 */
const isForGood = (error: unknown): boolean =>
  (error instanceof FactoryError && !error.retryable) ||
  (error instanceof UnreachableError && error.code === 'ENOTFOUND');

/** Tries the repositories in their order; the error has what each said. */
async function firstRepository<T>(
  kind: DatabaseKind,
  { dbRepository, javaDbRepository }: RepositoryOptions,
  signal: AbortSignal,
  use: (repository: ReturnType<typeof parseReference>) => Promise<T>,
): Promise<T> {
  const list = kind === 'db' ? dbRepository : javaDbRepository;
  const faults: unknown[] = [];
  for (const text of list.split(',').map((one) => one.trim())) {
    try {
      return await use(readRepository(text, kind));
    } catch (error) {
      if (error instanceof FactoryError && error.type === 'ScannerMissing') throw error;
      signal.throwIfAborted();
      faults.push(error);
    }
  }
  const [what, setting, skip] =
    kind === 'db'
      ? ['vulnerability database', 'TRIVY_DB_REPOSITORY', 'TRIVY_SKIP_DB_UPDATE']
      : ['Java database', 'TRIVY_JAVA_DB_REPOSITORY', 'TRIVY_SKIP_JAVA_DB_UPDATE'];
  throw new FactoryError(
    faults.every(isForGood) ? 'DatabaseMisconfigured' : 'DatabaseUnavailable',
    `The ${what} could not be fetched (${faults.map(messageOf).join('; ')}): set ${setting} to a copy that the worker reaches, or ${skip} if it has one already.`,
  );
}
