import type { HarnessTarget, RunConfig } from '../contract/run.js';
import { DOCKER_HUB } from '../registry/reference.js';
import type { EvidenceStore } from '../store/evidence.js';
import { createAllowLists } from './allow-lists.js';
import type { WorkerEnvironment } from './environment.js';
import { type Fault, refusal } from './faults.js';
import { harnessOf } from './harness-target.js';
import { readInput } from './input.js';
import { INPUT_DEFAULTS, type InputField } from './input-fields.js';
import { isBelow, readRegistryPrefix } from './registry-prefix.js';
import { sizeFault } from './run-config-size.js';
import { keep } from './template-evidence.js';
import { loadBuildPush, loadGatherScan } from './templates.js';

export { resolveHarnessTarget } from './harness-target.js';

/** What resolving a run needs from outside. */
export interface ResolveDependencies {
  /** The moment that decides which exceptions still count. */
  now: Date;
  /** Where the templates' text and files are kept for the run. Absent: nowhere, when nothing will run. */
  evidence?: EvidenceStore;
  signal?: AbortSignal;
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
  { now, evidence, signal }: ResolveDependencies,
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
  if (isBelow(registry, DOCKER_HUB))
    refuse(
      'InvalidInput',
      'registry is on Docker Hub, whose repositories have two parts only (namespace/repository), so that copies such as ' +
        `${DOCKER_HUB}/acme/harness/ci-addon cannot be pushed: use a registry that takes deeper paths, such as ghcr.io/acme, ` +
        'Artifact Registry, Artifactory, Harbor or ECR',
    );
  else if (registry !== '' && !lists.registry(registry))
    refuse('NotAllowed', `this worker does not push to ${registry}: add it to ALLOWED_REGISTRIES if it may`);
  if (registry !== '' && environment.sourceRegistries.includes(registry))
    refuse(
      'InvalidInput',
      `registry is ${registry}, which is a source too: the copies need a place of their own`,
    );
  if (set.modifyDefault && missing('registryConnector'))
    refuse('InvalidInput', 'registryConnector is missing: modifyDefault needs it, e.g. account.harnessImage');

  const today = now.toISOString().slice(0, 10);
  const [gatherScan, buildPush] = await Promise.all([
    faulty.has('gatherScanTemplate') ? null : loadGatherScan(set.gatherScanTemplate, environment, today),
    faulty.has('buildPushTemplate')
      ? null
      : loadBuildPush(set.buildPushTemplate, environment, input.platforms),
  ]);
  for (const template of [gatherScan, buildPush])
    if (template !== null && !template.ok) for (const text of template.faults) refuse('InvalidInput', text);

  let harness: HarnessTarget = { gateway: '', apiKeySecret: set.harnessApiKeySecret, account: '' };
  // A template whose faults hide its sources most likely asks Harness.
  const asksHarness = gatherScan === null || !gatherScan.ok || gatherScan.value.sources.length > 0;
  if (asksHarness) harness = await harnessOf(partial, environment, lists, faults);

  if (faults.length > 0 || !gatherScan?.ok || !buildPush?.ok) throw refusal(faults);
  const config: RunConfig = {
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
  const tooLarge = sizeFault(config);
  if (tooLarge !== undefined) throw refusal([{ kind: 'InvalidInput', text: tooLarge }]);
  if (evidence !== undefined)
    await keep(new Map([...gatherScan.captured, ...buildPush.captured]), evidence, signal);
  return config;
}
