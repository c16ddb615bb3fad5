import { inOrder } from '../common/in-order.js';
import type { DiscoverySummary, Infra } from '../contract/run.js';
import type { HarnessClient } from './client.js';
import type { DiscoveryInput, InfraConfig } from './discovery.js';

export interface AccountImages {
  answeredBy: Exclude<DiscoverySummary['answeredBy'], 'none'>;
  /** In the order of the question; a source that was not asked for is empty. */
  configs: InfraConfig[];
}

/**
 * What the account's fields hold: in one request by GraphQL where the client is to try that and the account's schema has
 * CI images, else over REST, with one request for each infra and source.
 */
export async function readImages(
  client: HarnessClient,
  { infra, sources }: { infra: readonly Infra[]; sources: DiscoveryInput['sources'] },
  signal?: AbortSignal,
): Promise<AccountImages> {
  const wants = { default: sources.includes('default'), customer: sources.includes('customer') };
  const given = await client.imagesByGraphql(infra, signal);
  if (given !== undefined) {
    const configs = given.map(({ infra: one, defaults, overrides }) => ({
      infra: one,
      default: wants.default ? defaults : {},
      customer: wants.customer ? overrides : {},
    }));
    return { answeredBy: 'GraphQL', configs };
  }
  const configs = await inOrder(
    infra.map(async (one) => {
      const [shipped, own] = await inOrder([
        wants.default ? client.defaultConfig(one, signal) : Promise.resolve({}),
        wants.customer ? client.customerConfig(one, { overridesOnly: true }, signal) : Promise.resolve({}),
      ]);
      return { infra: one, default: shipped, customer: own };
    }),
  );
  return { answeredBy: 'REST', configs };
}
