import type { Digest } from '../contract/brand.js';
import type {
  BuildkitConfig,
  BuildPushConfig,
  ExternalScanner,
  GatherScanConfig,
  Policy,
  TemplateStep,
} from '../contract/run.js';
import { digestOfJson } from './canonical.js';
import { filesDigested, programDigested, type TemplateContent } from './template-content.js';
import { type Captured, capture } from './template-files.js';
import { type Found, type Loaded, loadTemplate, type Make, readTemplate } from './template-load.js';
import {
  type BuildPushTemplate,
  buildPushSchema,
  type GatherScanTemplate,
  gatherScanSchema,
} from './template-schemas.js';
import type { TemplateSettings } from './template-settings.js';

export type { TemplateKind } from './template-load.js';

/** What reading needs of a worker, once a template is found. */
type Given = Pick<TemplateSettings, 'templateVariable' | 'stepVariableFault'>;

/**
 * Covers the labels that every copy gets from the factory itself. Raise it when that set, or how bytes are made from a
 * template, changes: every copy is then made anew.
 */
const FORMAT = 1;

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

/** The same of a template that was found already. */
export const readGatherScan = (
  name: string,
  found: Found,
  given: Given,
  today: string,
): Promise<Loaded<GatherScanConfig>> =>
  readTemplate(found, gatherScanSchema, given, makeGatherScan(name, today));

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

/** The same of a template that was found already. */
export const readBuildPush = (name: string, found: Found, given: Given): Promise<Loaded<BuildPushConfig>> =>
  readTemplate(found, buildPushSchema, given, makeBuildPush(name, undefined));

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
