import { FactoryError, messageOf } from '../common/errors.js';
import type { HarnessTarget, RunConfig } from '../contract/run.js';
import { accountOf, normaliseGateway } from '../harness/url.js';
import { type AllowLists, createAllowLists } from './allow-lists.js';
import type { WorkerEnvironment } from './environment.js';
import { type PartialInput, readInput } from './input.js';
import { INPUT_DEFAULTS, type InputField } from './input-fields.js';
import { readRegistryPrefix } from './registry-prefix.js';
import { resolveSecret } from './secret.js';
import { loadBuildPush, loadGatherScan } from './templates.js';

/** What resolving a run needs from outside. */
export interface ResolveDependencies {
  /** The moment that decides which exceptions still count. */
  now: Date;
}

interface Fault {
  kind: 'InvalidInput' | 'NotAllowed';
  text: string;
}

/** Where and as whom Harness is asked, after the worker's allow-lists were; faults are added to `faults`. */
async function harnessOf(
  { input, faulty }: PartialInput,
  environment: WorkerEnvironment,
  lists: AllowLists,
  faults: Fault[],
): Promise<HarnessTarget> {
  const apiKeySecret = input.harnessApiKeySecret ?? INPUT_DEFAULTS.harnessApiKeySecret;
  const harness = { gateway: '', apiKeySecret, account: environment.harnessAccountId ?? '' };
  if (!faulty.has('harnessUrl')) {
    try {
      // Whether plain HTTP is right is the allow-list's to say: it knows the operator's word.
      harness.gateway = normaliseGateway(input.harnessUrl ?? INPUT_DEFAULTS.harnessUrl, { allowPlain: true });
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

/**
 * The account that `restoreHarness` writes to; the two fields mean what they mean in a run's input.
 *
 * @throws FactoryError `InvalidInput` or `NotAllowed`, as {@link resolveRunConfig} does
 */
export async function resolveHarnessTarget(
  raw: { harnessUrl?: string | undefined; harnessApiKeySecret?: string | undefined },
  environment: WorkerEnvironment,
): Promise<HarnessTarget> {
  const given = Object.entries(raw).filter(([, value]) => value !== undefined);
  const { harnessUrl, harnessApiKeySecret } = environment.inputDefaults;
  const defaults = {
    ...(harnessUrl === undefined ? {} : { harnessUrl }),
    ...(harnessApiKeySecret === undefined ? {} : { harnessApiKeySecret }),
  };
  const read = readInput(Object.fromEntries(given), defaults);
  const faults: Fault[] = read.faults.map((text) => ({ kind: 'InvalidInput', text }));
  const harness = await harnessOf(read, environment, createAllowLists(environment), faults);
  if (faults.length > 0) throw refusal(faults);
  return harness;
}

/**
 * Input + the worker's environment + templates → the configuration that the whole run keeps.
 *
 * @throws FactoryError `InvalidInput` that names every fault; `NotAllowed` when all that is wrong is what the worker does
 *   not allow.
 */
export async function resolveRunConfig(
  raw: unknown,
  environment: WorkerEnvironment,
  { now }: ResolveDependencies,
): Promise<RunConfig> {
  const partial = readInput(raw, environment.inputDefaults);
  const { input, faulty } = partial;
  const faults: Fault[] = partial.faults.map((text) => ({ kind: 'InvalidInput', text }));
  const refuse = (kind: Fault['kind'], text: string): void => void faults.push({ kind, text });
  const missing = (field: InputField): boolean => input[field] === undefined && !faulty.has(field);
  const lists = createAllowLists(environment);
  const set = { ...INPUT_DEFAULTS, ...input };

  if (missing('registry'))
    refuse('InvalidInput', 'registry is missing: give host[:port][/prefix], or set REGISTRY on the worker');
  const read = readRegistryPrefix(input.registry ?? '');
  const registry = 'prefix' in read ? read.prefix : '';
  if (registry !== '' && !lists.registry(registry))
    refuse('NotAllowed', `this worker does not push to ${registry}: add it to ALLOWED_REGISTRIES if it may`);
  if (registry !== '' && environment.sourceRegistries.includes(registry))
    refuse(
      'InvalidInput',
      `registry is ${registry}, which is a source too: the copies need a place of their own`,
    );
  if (set.modifyDefault && missing('registryConnector'))
    refuse('InvalidInput', 'registryConnector is missing: modifyDefault needs it, e.g. account.harnessImage');

  const today = now.toISOString().slice(0, 10);
  const { templateDir } = environment;
  const [gatherScan, buildPush] = await Promise.all([
    faulty.has('gatherScanTemplate') ? null : loadGatherScan(set.gatherScanTemplate, templateDir, today),
    faulty.has('buildPushTemplate')
      ? null
      : loadBuildPush(set.buildPushTemplate, templateDir, input.platforms),
  ]);
  for (const template of [gatherScan, buildPush])
    if (template !== null && !template.ok) for (const text of template.faults) refuse('InvalidInput', text);

  let harness: HarnessTarget = { gateway: '', apiKeySecret: set.harnessApiKeySecret, account: '' };
  // A template whose faults hide its sources most likely asks Harness.
  const asksHarness = gatherScan === null || !gatherScan.ok || gatherScan.value.sources.length > 0;
  if (asksHarness) harness = await harnessOf(partial, environment, lists, faults);

  if (faults.length > 0 || !gatherScan?.ok || !buildPush?.ok) throw refusal(faults);
  return {
    registry,
    registryConnector: input.registryConnector ?? null,
    modifyDefault: set.modifyDefault,
    maxConcurrency: set.maxConcurrency,
    harness,
    infra: [...new Set(set.infra)],
    sourceRegistries: environment.sourceRegistries,
    include: [...set.include],
    exclude: [...set.exclude],
    valueStyle: set.valueStyle,
    scan: set.scan,
    dryRun: set.dryRun,
    gatherScan: gatherScan.value,
    buildPush: buildPush.value,
  };
}

/** One error for all faults: the user mends them in one go. */
function refusal(faults: readonly Fault[]): FactoryError {
  const type = faults.every(({ kind }) => kind === 'NotAllowed') ? 'NotAllowed' : 'InvalidInput';
  const texts = faults.map(({ text }) => text);
  const [only] = texts;
  if (texts.length === 1 && only !== undefined) return new FactoryError(type, only);
  return new FactoryError(
    type,
    `${texts.length} things are wrong: ${texts.map((text, index) => `(${index + 1}) ${text}`).join('; ')}`,
  );
}
