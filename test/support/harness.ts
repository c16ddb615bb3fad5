import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import {
  type HarnessSimulator,
  type SimulatorOptions,
  startHarnessSimulator,
} from '../../src/demo/harness-simulator/index.js';
import { HarnessClient, type HarnessClientOptions } from '../../src/harness/client.js';

export const ACCOUNT = 'ACCOUNT_ID';
export const KEY = `pat.${ACCOUNT}.tokenId.canarySecret`;
export const READ_ONLY_KEY = `pat.${ACCOUNT}.tokenId.readOnlySecret`;
export const EXPIRED_KEY = `sat.${ACCOUNT}.tokenId.expiredSecret`;
export const REGISTRY = 'registry.example.com/ci';

/** Published and inferred samples of Harness's API (which is which: docs of the fixtures' source). */
export const sample = (name: string): string =>
  readFileSync(new URL(`../fixtures/harness-api/${name}`, import.meta.url), 'utf8');

/** The `data` of a sample that is a map of fields. */
export function sampleFields(name: string): Record<string, string> {
  const whole: { data: Record<string, string> } = JSON.parse(sample(name));
  return whole.data;
}

/** A simulator that holds the samples' account and ends with the test. */
export async function simulate(options: Partial<SimulatorOptions> = {}): Promise<HarnessSimulator> {
  const simulator = await startHarnessSimulator({
    account: ACCOUNT,
    apiKey: KEY,
    readOnlyKey: READ_ONLY_KEY,
    expiredKey: EXPIRED_KEY,
    defaults: {
      K8: sampleFields('default-config.k8.json'),
      VM: sampleFields('default-config.vm.json'),
    },
    connectors: [
      {
        identifier: 'private_registry',
        name: 'Private registry',
        dockerRegistryUrl: `https://${REGISTRY}`,
      },
    ],
    ...options,
  });
  onTestFinished(() => simulator.stop());
  return simulator;
}

/** A client for the samples' account, with the key that may do everything. */
export const clientOf = (
  { url }: Pick<HarnessSimulator, 'url'>,
  { apiKey = KEY, ...options }: ClientOptions = {},
): HarnessClient =>
  new HarnessClient({ gateway: url, account: ACCOUNT, apiKey: async () => apiKey, ...options });

type ClientOptions = Partial<Omit<HarnessClientOptions, 'gateway' | 'account' | 'apiKey'>> & {
  apiKey?: string;
};

/** An address of this machine where nothing listens. */
export async function closedGateway(): Promise<{ url: string }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  server.close();
  await once(server, 'close');
  return { url: `http://127.0.0.1:${address.port}/gateway` };
}

/** The error that a promise fails with; fails when it does not. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome) return outcome.error;
  throw new Error(`it did not fail: ${JSON.stringify(outcome.value)}`);
}
