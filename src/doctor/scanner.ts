import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../common/errors.js';
import type { RegistryClient } from '../registry/client.js';
import { formatReference, parseReference } from '../registry/reference.js';
import { TrivyProcess } from '../scanners/trivy-process.js';
import { registryAccess } from '../worker/registries.js';
import { trivySettings } from '../worker/scanner.js';
import { type Finding, fail, failure, ok, warn } from './finding.js';
import { withClient } from './registries.js';
import type { Situation } from './situation.js';

const HOUR_MS = 3_600_000;
const metadataSchema = z.object({ UpdatedAt: z.iso.datetime() });

/** Whether Trivy is there. */
export async function checkTrivy({ environment }: Situation, signal: AbortSignal): Promise<Finding> {
  const { program, cacheDir } = trivySettings(environment.trivy);
  try {
    const { version } = await new TrivyProcess(program).version(cacheDir, { signal, progress: () => {} });
    return ok(`${program} ${version}`);
  } catch (error) {
    return failure(error, 'install Trivy 0.76 and put it on PATH, or set TRIVY_PATH');
  }
}

/** Whether a scan would have databases: where they come from answers, and how old the newest one here is. */
export async function checkDatabase(situation: Situation, signal: AbortSignal): Promise<Finding> {
  const settings = trivySettings(situation.environment.trivy);
  const { cacheDir, skipDbUpdate, skipJavaDbUpdate } = settings;
  const asked = [
    ...(skipDbUpdate ? [] : [{ list: settings.dbRepository, tag: '2', variable: 'TRIVY_DB_REPOSITORY' }]),
    ...(skipJavaDbUpdate
      ? []
      : [{ list: settings.javaDbRepository, tag: '1', variable: 'TRIVY_JAVA_DB_REPOSITORY' }]),
  ];
  try {
    const access = await registryAccess(situation.environment);
    const answers = await withClient(access.source(), (client) =>
      Promise.all(asked.map(async (one) => ({ ...one, answer: await firstThatHas(one, client, signal) }))),
    );
    for (const { answer, variable } of answers) {
      if ('faults' in answer)
        return fail(
          `no database can be fetched: ${answer.faults.join('; ')}`,
          `set ${variable} to a copy that is reached from here`,
        );
    }
    const from = answers.flatMap(({ answer }) => ('reference' in answer ? [answer.reference] : []));
    const updatedAt = await newestDatabase(cacheDir, !skipDbUpdate);
    return judge({ updatedAt, from, pinned: skipDbUpdate, cacheDir }, situation);
  } catch (error) {
    return failure(error, 'check TRIVY_DB_REPOSITORY and TRIVY_JAVA_DB_REPOSITORY');
  }
}

/** A run fetches what is missing or old, unless it was told not to. */
function judge(
  database: { updatedAt: string | undefined; from: string[]; pinned: boolean; cacheDir: string },
  { template }: Situation,
): Finding {
  const { updatedAt, from, pinned, cacheDir } = database;
  const answers =
    from.length === 0 ? 'nothing is fetched (TRIVY_SKIP_DB_UPDATE)' : `${from.join(' and ')} can be fetched`;
  const fault = pinned ? fail : warn;
  const mend = pinned
    ? `put a current database into ${cacheDir}, or unset TRIVY_SKIP_DB_UPDATE`
    : 'nothing to do: the next run fetches the newest one';
  if (updatedAt === undefined) return fault(`none on this machine yet; ${answers}`, mend);
  const hours = Math.max(0, Math.floor((Date.now() - Date.parse(updatedAt)) / HOUR_MS));
  const found = `the newest one here is of ${updatedAt}, ${hours} hours old; ${answers}`;
  const limit = template?.policy.maxDatabaseAgeHours;
  if (limit === undefined || hours < limit) return ok(found);
  return fault(`${found}; the template allows ${limit} hours`, mend);
}

type Reachable = { reference: string } | { faults: string[] };

/** The first repository of a list, in Trivy's notation, that answers. */
async function firstThatHas(
  { list, tag }: { list: string; tag: string },
  client: RegistryClient,
  signal: AbortSignal,
): Promise<Reachable> {
  const faults: string[] = [];
  for (const text of list.split(',').map((one) => one.trim())) {
    try {
      const tagged = /[@:][^/]*$/.test(text) ? text : `${text}:${tag}`;
      const reference = formatReference(parseReference(tagged));
      if ((await client.head(reference, signal)) !== undefined) return { reference };
      faults.push(`${reference} does not exist`);
    } catch (error) {
      signal.throwIfAborted();
      faults.push(messageOf(error));
    }
  }
  return { faults };
}

/** When the newest database below Trivy's cache directory was made; what is no database there does not count. */
async function newestDatabase(cacheDir: string, withPinned: boolean): Promise<string | undefined> {
  const pinned = join(cacheDir, 'pinned');
  const names = withPinned ? await readdir(pinned).catch(() => []) : [];
  const times = await Promise.all(
    [cacheDir, ...names.map((name) => join(pinned, name))].map(async (directory) => {
      const text = await readFile(join(directory, 'db', 'metadata.json'), 'utf8').catch(() => '{}');
      return updatedAtOf(text);
    }),
  );
  return times
    .flatMap((time) => (time === undefined ? [] : [new Date(time).toISOString()]))
    .sort()
    .at(-1);
}

function updatedAtOf(metadata: string): string | undefined {
  try {
    return metadataSchema.safeParse(JSON.parse(metadata)).data?.UpdatedAt;
  } catch {
    return undefined; // half-written: Trivy takes it for none too
  }
}
