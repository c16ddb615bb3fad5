import { readAuthorities, trusting } from '../common/certificates.js';
import { Connections } from '../common/network.js';
import type { AllowLists } from '../config/allow-lists.js';
import type { WorkerEnvironment } from '../config/environment.js';
import { resolveSecret } from '../config/secret.js';
import type { HarnessTarget } from '../contract/run.js';
import { HarnessClient, type HarnessClientOptions } from '../harness/client.js';

export interface HarnessAccess {
  /** @throws FactoryError `NotAllowed` for a host or a secret that the worker does not give */
  client(target: HarnessTarget): HarnessClient;
  close(): Promise<void>;
}

/**
 * How Harness is asked from this machine: with the authorities of the environment, and with no secret and to no host
 * that the allow-lists do not have.
 *
 * @throws FactoryError `InvalidInput` when the authorities can't be read or a proxy is no URL
 */
export async function harnessAccess(
  environment: WorkerEnvironment,
  allowLists: AllowLists,
  options: Pick<HarnessClientOptions, 'timeoutMs'> = {},
): Promise<HarnessAccess> {
  const connections = new Connections(await trusting(await readAuthorities(environment.extraCaFile)));
  return {
    client: (target) => {
      allowLists.assertHarness(target);
      return new HarnessClient({
        ...target,
        ...options,
        connections,
        apiKey: async () => (await resolveSecret(target.apiKeySecret, environment)).reveal(),
      });
    },
    close: () => connections.close(),
  };
}
