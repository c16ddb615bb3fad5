import { FactoryError, messageOf } from '../common/errors.js';
import type { HarnessTarget } from '../contract/run.js';
import { accountOf, namesGraphql, normaliseGateway } from '../harness/url.js';
import { type AllowLists, createAllowLists } from './allow-lists.js';
import type { WorkerEnvironment } from './environment.js';
import { type Fault, refusal } from './faults.js';
import { type PartialInput, readInput } from './input.js';
import { INPUT_DEFAULTS } from './input-fields.js';
import { resolveSecret } from './secret.js';

/** Where and as whom Harness is asked, after the worker's allow-lists were; faults are added to `faults`. */
export async function harnessOf(
  { input, faulty }: PartialInput,
  environment: WorkerEnvironment,
  lists: AllowLists,
  faults: Fault[],
): Promise<HarnessTarget> {
  const apiKeySecret = input.harnessApiKeySecret ?? INPUT_DEFAULTS.harnessApiKeySecret;
  const url = input.harnessUrl ?? INPUT_DEFAULTS.harnessUrl;
  const account = environment.harnessAccountId ?? '';
  const harness = { gateway: '', graphql: namesGraphql(url), apiKeySecret, account };
  if (!faulty.has('harnessUrl')) {
    try {
      // Whether plain HTTP is right is the allow-list's to say: it knows the operator's word.
      harness.gateway = normaliseGateway(url, { allowPlain: true });
      const text = lists.harnessFault(harness.gateway);
      if (text !== undefined) faults.push({ kind: 'NotAllowed', text });
    } catch (error) {
      faults.push({ kind: 'InvalidInput', text: messageOf(error) });
    }
  }
  if (faulty.has('harnessApiKeySecret')) return harness;
  try {
    const key = await resolveSecret(apiKeySecret, environment);
    if (harness.account === '') harness.account = accountOf(key.reveal()) ?? '';
    if (harness.account === '')
      faults.push({
        kind: 'InvalidInput',
        text: 'the API key does not say which account it is for: set HARNESS_ACCOUNT_ID on the worker',
      });
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    faults.push({ kind: error.type === 'NotAllowed' ? 'NotAllowed' : 'InvalidInput', text: error.message });
  }
  return harness;
}

/** The worker's environment, as far as it says where and as whom Harness is asked. */
export const harnessDefaults = ({ inputDefaults }: WorkerEnvironment): WorkerEnvironment['inputDefaults'] =>
  Object.fromEntries(
    Object.entries(inputDefaults).filter(([field]) => ['harnessUrl', 'harnessApiKeySecret'].includes(field)),
  );

/**
 * The account that is asked without a run, by `doctor`; the two fields mean what they mean in a run's input.
 *
 * @throws FactoryError `InvalidInput` or `NotAllowed`, as a run's resolution does
 */
export async function resolveHarnessTarget(
  raw: { harnessUrl?: string | undefined; harnessApiKeySecret?: string | undefined },
  environment: WorkerEnvironment,
): Promise<HarnessTarget> {
  const given = Object.entries(raw).filter(([, value]) => value !== undefined);
  const read = readInput(Object.fromEntries(given), harnessDefaults(environment));
  const faults: Fault[] = read.faults.map((text) => ({ kind: 'InvalidInput', text }));
  const harness = await harnessOf(read, environment, createAllowLists(environment), faults);
  if (faults.length > 0) throw refusal(faults);
  return harness;
}
