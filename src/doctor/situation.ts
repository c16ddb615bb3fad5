import { messageOf } from '../common/errors.js';
import { type AllowLists, createAllowLists } from '../config/allow-lists.js';
import { loadEnvironment, type WorkerEnvironment } from '../config/environment.js';
import { pairFaults } from '../config/environment-pairs.js';
import { environmentSchema } from '../config/environment-schema.js';
import { readInput } from '../config/input.js';
import { INPUT_DEFAULTS } from '../config/input-fields.js';
import { readRegistryPrefix } from '../config/registry-prefix.js';
import { resolveRunConfig } from '../config/resolve.js';
import { loadBuildPush, loadGatherScan } from '../config/templates.js';
import type { RunInput } from '../contract/input.js';
import type { BuildPushConfig, GatherScanConfig } from '../contract/run.js';
import { type Finding, fail, ok } from './finding.js';

/** What a run on this machine would go by, as far as it can be read. */
export interface Situation {
  environment: WorkerEnvironment;
  /** Variables whose value can't be used; `environment` is what the others say. */
  faulty: ReadonlySet<string>;
  allowLists: AllowLists;
  /** Flags, with the environment where they are silent; faulty fields are left out. */
  input: RunInput;
  /** The flags alone, as they were given. */
  flags: Readonly<Record<string, unknown>>;
  /** `host[:port][/prefix]`; null when there is none that may be pushed to. */
  registry: string | null;
  /** Null when it can't be used. */
  template: GatherScanConfig | null;
  /** Null when it can't be used. */
  buildPush: BuildPushConfig | null;
  /** The verdict on the environment itself, every fault at once. */
  verdict: Finding;
}

const MEND = 'set each as docs/configuration.md says, in the environment of the worker and of this command';

/** Reads flags and environment; what is wrong with them is in the result, and the rest can be checked all the same. */
export async function readSituation(
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
): Promise<Situation> {
  const faulty = faultyVariables(env);
  const usable = Object.fromEntries(Object.entries(env).filter(([name]) => !faulty.has(name)));
  const environment = loadEnvironment(usable);
  const allowLists = createAllowLists(environment);
  const { input } = readInput(flags, environment.inputDefaults);
  const now = new Date();
  const template = await loadGatherScan(
    input.gatherScanTemplate ?? INPUT_DEFAULTS.gatherScanTemplate,
    environment,
    now.toISOString().slice(0, 10),
  );
  const buildPush = await loadBuildPush(
    input.buildPushTemplate ?? INPUT_DEFAULTS.buildPushTemplate,
    environment,
    input.platforms,
  );
  const registry = readRegistryPrefix(input.registry ?? '');
  const faults = [...(await faultsOf(() => loadEnvironment(env)))];
  // What the whole run needs beyond its parts: a registry, a key, templates, what the allow-lists let pass.
  faults.push(...(await faultsOf(() => resolveRunConfig(flags, environment, { now }))));
  return {
    environment,
    faulty,
    allowLists,
    input,
    flags,
    registry: 'prefix' in registry && allowLists.registry(registry.prefix) ? registry.prefix : null,
    template: template.ok ? template.value : null,
    buildPush: buildPush.ok ? buildPush.value : null,
    verdict: faults.length > 0 ? fail(faults.join('; '), MEND) : ok(summary(input)),
  };
}

function summary(input: RunInput): string {
  const set = { ...INPUT_DEFAULTS, ...input };
  return `registry ${set.registry}, images of ${set.infra.join(' and ')}, templates ${set.gatherScanTemplate} and ${set.buildPushTemplate}`;
}

async function faultsOf(read: () => unknown): Promise<string[]> {
  try {
    await read();
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
}

/** The variables that {@link loadEnvironment} refuses. */
function faultyVariables(env: NodeJS.ProcessEnv): Set<string> {
  const given = (name: string): string | undefined => env[name]?.trim() || undefined;
  const faulty = Object.entries(environmentSchema.shape).flatMap(([name, schema]) =>
    schema.safeParse(given(name)).success ? [] : [name],
  );
  // Of what is left: a variable that stands alone because its partner can't be used is none either.
  const left = Object.keys(environmentSchema.shape).filter((name) => !faulty.includes(name));
  const pairs = pairFaults(Object.fromEntries([...left, 'REGISTRY'].map((name) => [name, given(name)])));
  faulty.push(...pairs.flatMap(({ names }) => names));
  return new Set(faulty);
}
