import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import type { Digest } from '../contract/brand.js';
import type {
  BuildkitConfig,
  BuildPushConfig,
  ExternalScanner,
  GatherScanConfig,
  Policy,
  TemplateStep,
} from '../contract/run.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { digestOfJson } from './canonical.js';
import { TEMPLATE_NAME } from './input-fields.js';
import { filesDigested, programDigested, TemplateContent } from './template-content.js';
import { type Captured, capture, codeOf, readBelow, TemplateFiles } from './template-files.js';
import {
  type BuildPushTemplate,
  buildPushSchema,
  type GatherScanTemplate,
  gatherScanSchema,
} from './template-schemas.js';
import type { TemplateSettings } from './template-settings.js';
import { parseTemplate } from './template-yaml.js';

export type TemplateKind = 'gather-scan' | 'build-push';

const MAX_BYTES = 256 * 1024;
/** Beside the folders of the two kinds. */
const FILES = 'files';

/** Beside `src` and beside `dist`: this module lies two folders below both. */
const BUILT_IN = fileURLToPath(new URL('../../templates/', import.meta.url));

/**
 * Covers the labels that every copy gets from the factory itself. Raise it when that set, or how bytes are made from a
 * template, changes: every copy is then made anew.
 */
const FORMAT = 1;

/** A template that was found, and the folder of the files that it may name. */
interface Found {
  bytes: Buffer;
  files: string;
}

/** A template from one folder; undefined when it has none of that name. @throws Error with the fault */
async function readFrom(root: string, kind: TemplateKind, name: string): Promise<Found | undefined> {
  const found = await readBelow(root, join(kind, `${name}.yaml`), {
    maxBytes: MAX_BYTES,
    sizeText: '256 KiB',
    rootName: 'TEMPLATE_DIR',
  });
  return found && { bytes: found.bytes, files: join(root, FILES) };
}

/** A template as a run keeps it, and the bytes that its parts refer to. */
export type Loaded<T> = { ok: true; value: T; captured: Captured } | { ok: false; faults: string[] };

/** Makes a run's configuration out of what a template says. */
type Make<T, C> = (
  template: T,
  content: TemplateContent,
  kept: { captured: Captured; text: EvidenceRef },
) => Promise<C>;

/**
 * Finds a template by name, in `TEMPLATE_DIR` first and then among the built-in ones, and reads it.
 *
 * @returns the template, or every fault with the kind and name in front. No path is shown: it would be the worker's.
 */
async function loadTemplate<T, C>(
  kind: TemplateKind,
  name: string,
  schema: z.ZodType<T>,
  settings: TemplateSettings,
  make: Make<T, C>,
): Promise<Loaded<C>> {
  const title = `${kind} template ${name}`;
  const { templateDir } = settings;
  if (!TEMPLATE_NAME.test(name)) return { ok: false, faults: [`the ${kind} template’s name is not valid`] };
  try {
    const own = templateDir === null ? undefined : await readFrom(templateDir, kind, name);
    const found = own ?? (await readFrom(BUILT_IN, kind, name));
    if (found === undefined) {
      const place =
        templateDir === null ? 'TEMPLATE_DIR is not set' : `no ${kind}/${name}.yaml in TEMPLATE_DIR`;
      return { ok: false, faults: [`${title} does not exist: it is not built in, and ${place}`] };
    }
    const loaded = await readTemplate(found, schema, settings, make);
    return loaded.ok ? loaded : { ok: false, faults: loaded.faults.map((fault) => `${title}: ${fault}`) };
  } catch (error) {
    // A message of the file system would show the worker's path.
    const why = codeOf(error) === undefined && error instanceof Error ? error.message : 'it can’t be read';
    return { ok: false, faults: [`${title} is not usable: ${why}`] };
  }
}

async function readTemplate<T, C>(
  { bytes, files }: Found,
  schema: z.ZodType<T>,
  settings: Pick<TemplateSettings, 'templateVariable' | 'stepVariableFault'>,
  make: Make<T, C>,
): Promise<Loaded<C>> {
  const parsed = parseTemplate(bytes.toString('utf8'), schema);
  if (!parsed.ok) return parsed;
  const captured: Captured = new Map();
  const { fault } = parsed;
  const content = new TemplateContent({ settings, files: new TemplateFiles(files, captured), fault });
  const value = await make(parsed.value, content, { captured, text: capture(bytes, captured) });
  return content.faults.length > 0 ? { ok: false, faults: content.faults } : { ok: true, value, captured };
}

/**
 * The digest of what the policy says on a day, and of the scanners beside Trivy. Exceptions that ran out by then are left
 * out, so that an image they let pass is scanned again when they end.
 *
 * @param today `YYYY-MM-DD`, UTC
 */
export function policyDigestOf(
  policy: Policy,
  today: string,
  scanners: readonly ExternalScanner[] = [],
): Digest {
  const { failOn, fixableOnly, action, notScannable, maxDatabaseAgeHours } = policy;
  const exceptions = policy.exceptions
    .filter(({ expires }) => expires >= today)
    .map(({ id, package: name, expires }) => ({ id, package: name, expires }))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return digestOfJson({
    failOn,
    fixableOnly,
    action,
    notScannable,
    maxDatabaseAgeHours,
    exceptions,
    scanners: someOf(scanners.map((one) => ({ name: one.name, ...programDigested(one) }))),
  });
}

/** A list that is left out where it is empty: digests of templates without one are those of before there were any. */
const someOf = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list);

/** Loads and digests a template of gathering and scanning. */
export const loadGatherScan = (
  name: string,
  settings: TemplateSettings,
  today: string,
): Promise<Loaded<GatherScanConfig>> =>
  loadTemplate('gather-scan', name, gatherScanSchema, settings, makeGatherScan(name, today));

const makeGatherScan =
  (name: string, today: string): Make<GatherScanTemplate, GatherScanConfig> =>
  async (template, content, { text }) => {
    const { sources, include, exclude, extraImages, policy: read } = template;
    const { maxDatabaseAge, ...rules } = read;
    const policy: Policy = { ...rules, maxDatabaseAgeHours: maxDatabaseAge };
    const scanners = await content.scanners(
      template.scanners.flatMap((scanner, at) => (scanner === 'trivy' ? [] : [{ scanner, at }])),
    );
    const steps = await content.steps(template.steps);
    return {
      name,
      digest: digestOfJson({
        sources,
        include,
        exclude,
        extraImages,
        scanners: ['trivy'],
        policy: { ...policy, exceptions: policy.exceptions.map((exception) => ({ ...exception })) },
        ...digestedPrograms(scanners, steps),
      }),
      text,
      sources: [...new Set(sources)],
      include,
      exclude,
      extraImages,
      policy,
      policyDigest: policyDigestOf(policy, today, scanners),
      ...(steps.length === 0 ? {} : { steps }),
      ...(scanners.length === 0 ? {} : { scanners }),
    };
  };

const digestedPrograms = (scanners: readonly ExternalScanner[], steps: readonly TemplateStep[]) => ({
  otherScanners: someOf(scanners.map((one) => ({ name: one.name, ...programDigested(one) }))),
  steps: someOf(
    steps.map((step) => {
      const { name, at, onFailure, attempts, timeoutSeconds } = step;
      return { name, at, onFailure, attempts, timeoutSeconds, ...programDigested(step) };
    }),
  ),
});

/**
 * Loads and digests a template of building and pushing.
 *
 * @param platforms what the run's input asks for; it decides over the template's
 */
export const loadBuildPush = (
  name: string,
  settings: TemplateSettings,
  platforms: readonly string[] | undefined,
): Promise<Loaded<BuildPushConfig>> =>
  loadTemplate('build-push', name, buildPushSchema, settings, makeBuildPush(name, platforms));

const makeBuildPush =
  (name: string, platforms: readonly string[] | undefined): Make<BuildPushTemplate, BuildPushConfig> =>
  async (template, content, { captured, text }) => {
    const buildkit = await buildkitOf(template, content, captured);
    const extraTags = content.texts(['extraTags'], template.extraTags);
    const steps = await content.steps(template.steps);
    const bytes = {
      engine: buildkit === undefined ? ('registry' as const) : ('buildkit' as const),
      // A set: the copy keeps the source's order of platforms, whatever the order here.
      platforms: [...new Set(platforms ?? template.platforms)].sort(),
      labels: content.record(['labels'], template.labels),
      annotations: content.record(['annotations'], template.annotations),
    };
    return {
      name,
      templateDigest: digestOfJson({
        format: FORMAT,
        ...bytes,
        extraTags: someOf(extraTags),
        ...(buildkit && digestedBuild(buildkit)),
      }),
      ...bytes,
      text,
      ...(steps.length === 0 ? {} : { steps }),
      ...(extraTags.length === 0 ? {} : { extraTags }),
      ...(buildkit && { buildkit }),
    };
  };

async function buildkitOf(
  template: BuildPushTemplate,
  content: TemplateContent,
  captured: Captured,
): Promise<BuildkitConfig | undefined> {
  const { engine, dockerfile, network, onUnbuildablePlatform } = template;
  if (dockerfile === undefined && engine !== 'buildkit') return undefined;
  return {
    dockerfile: capture(Buffer.from(dockerfile ?? ''), captured),
    buildArgs: content.record(['buildArgs'], template.buildArgs),
    files: await content.files(['files'], template.files),
    onUnbuildablePlatform,
    network,
  };
}

const digestedBuild = ({ dockerfile, files, ...rest }: BuildkitConfig) => ({
  ...rest,
  dockerfile: dockerfile.digest,
  files: filesDigested(files),
});
