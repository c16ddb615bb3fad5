import { FactoryError } from '../common/errors.js';
import { INPUT_DEFAULTS } from '../config/input-fields.js';
import { resolveHarnessTarget } from '../config/resolve.js';
import type { DiscoveredImage, DiscoverySummary } from '../contract/run.js';
import type { HarnessClient } from '../harness/client.js';
import { discover, type InfraConfig } from '../harness/discovery.js';
import { readImages } from '../harness/images.js';
import { harnessAccess } from '../worker/harness.js';
import type { Situation } from './situation.js';

/** With GraphQL's 5 s before it below a check's limit, so that the message names the host. */
const ANSWER_MS = 9_000;

/** What Harness says about the account; `client` is null when the template has it asked nothing. */
export interface AccountReading {
  client: HarnessClient | null;
  answeredBy: DiscoverySummary['answeredBy'];
  configs: InfraConfig[];
}

/**
 * Reads what a run would read.
 *
 * @returns null when flags and environment do not say whom to ask, or with which key: their own line names why.
 * @throws FactoryError as the run would meet it
 */
export async function readAccount(situation: Situation, signal: AbortSignal): Promise<AccountReading | null> {
  const { environment, allowLists, input, template } = situation;
  const sources = template?.sources ?? ['default'];
  if (sources.length === 0) return { client: null, answeredBy: 'none', configs: [] };
  const { harnessUrl, harnessApiKeySecret } = input;
  const harness = await resolveHarnessTarget({ harnessUrl, harnessApiKeySecret }, environment).catch(unsaid);
  if (harness === null) return null;
  const access = await harnessAccess(environment, allowLists, { timeoutMs: ANSWER_MS });
  const client = access.client(harness);
  const infra = [...new Set(input.infra ?? INPUT_DEFAULTS.infra)];
  // Defaults are asked for in any case: their number is what shows that this is the account.
  const read = await readImages(client, { infra, sources: ['default', ...sources] }, signal);
  return { client, ...read };
}

function unsaid(error: unknown): null {
  if (error instanceof FactoryError && ['InvalidInput', 'NotAllowed'].includes(error.type)) return null;
  throw error;
}

/** Stands for a registry that nobody named: RFC 2606 keeps `.invalid` from ever being one. */
const NO_REGISTRY = 'none.invalid';

/** The first image that a run would mirror; its target counts only if there is a registry. */
export function firstImage(
  { configs }: Pick<AccountReading, 'configs'>,
  { input, template, registry, environment }: Situation,
): DiscoveredImage | undefined {
  const images = discover({
    configs,
    sources: template?.sources ?? ['default'],
    includes: [template?.include ?? [], input.include ?? []],
    exclude: [...(template?.exclude ?? []), ...(input.exclude ?? [])],
    extraImages: template?.extraImages ?? [],
    sourceRegistries: environment.sourceRegistries,
    registry: registry ?? NO_REGISTRY,
  });
  return images.find(({ problem }) => problem === undefined);
}
