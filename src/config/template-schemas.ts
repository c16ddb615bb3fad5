import { z } from 'zod';
import { MARK } from '../contract/names.js';
import { SEVERITIES } from '../contract/verdict.js';
import { parseDigest } from '../registry/digest.js';
import { DOCKER_HUB, formatReference, isTag, parseReference } from '../registry/reference.js';
import { dockerfileFaults } from './dockerfile.js';
import { globFault, platformFault } from './input-fields.js';
import { filesSchema, scannersSchema, stepsSchema } from './program-schema.js';
import { quoted } from './suggest.js';
import { ALWAYS, checked, repeated, withVariables, words } from './template-parts.js';
import { expand, expandEnv, IMAGE_VARIABLES, tagVariables, variableFaults } from './variables.js';

const glob = checked(globFault);

const imageReference = checked((text) => {
  try {
    const { tag } = parseReference(text);
    return tag === null ? 'needs a tag: the copy gets its name from it' : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'is not an image reference';
  }
});

const HOURS = { h: 1, d: 24 } as const;
const age = z
  .string()
  .regex(/^[1-9]\d{0,3}[hd]$/, 'must be hours or days, such as 72h or 7d')
  .transform((text) => Number(text.slice(0, -1)) * (text.endsWith('d') ? HOURS.d : HOURS.h));

const exceptionSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9:._-]{2,99}$/, 'must be the id of a vulnerability, such as CVE-2023-4911')
    .describe('Id of the vulnerability, e.g. `CVE-2023-4911`.'),
  package: z.string().min(1).max(300).optional().describe('Package name; every package when absent.'),
  owner: words.describe('Who answers for it.'),
  reason: words.describe('Why the risk is taken.'),
  expires: z.iso
    .date('must be a day, YYYY-MM-DD: an exception without an end is none')
    .describe('Last day it counts (UTC).'),
});

const policySchema = z.strictObject({
  failOn: z.enum(SEVERITIES).default('CRITICAL').describe('Findings of this severity or above decide.'),
  fixableOnly: z.boolean().default(true).describe('Count only findings that a newer package fixes.'),
  action: z.enum(['warn', 'block']).default('warn').describe('What such a finding does to the image.'),
  notScannable: z
    .enum(['pass', 'warn', 'block'])
    .default('warn')
    .describe('What a platform does in which the scanner recognises nothing (Windows always).'),
  maxDatabaseAge: age.prefault('7d').describe('How old the vulnerability database may be: `72h`, `7d`.'),
  exceptions: z.array(exceptionSchema).max(1000).default([]).describe('Findings that do not count, for now.'),
});

/** The template of gathering and scanning. */
export const gatherScanSchema = z.strictObject({
  sources: z
    .array(z.enum(['default', 'customer']))
    .max(2)
    .default(['default'])
    .describe(
      'Which of Harness’s configurations name the images; none with `[]`. `default`: what Harness ships. ' +
        '`customer`: the account’s own overrides. With both, a version that someone pinned stays, and what an earlier run ' +
        'set from a default follows the default of today.',
    ),
  include: z
    .array(glob)
    .max(500)
    .default([])
    .describe('Globs over field names and repositories; only these.'),
  exclude: z.array(glob).max(500).default([]).describe('Globs over field names and repositories; not these.'),
  extraImages: z
    .array(imageReference)
    .max(500)
    .default([])
    .describe('Images to mirror that no field of the account names.'),
  scanners: scannersSchema.describe(
    'What looks into the images: `trivy`, which must be there, and up to four programs that read an OCI layout and write SARIF. Default: `trivy` alone.',
  ),
  steps: stepsSchema(['before-gather', 'after-gather', 'before-scan', 'after-scan', 'after-run']).describe(
    'Programs of yours around gathering and scanning, and after the run.',
  ),
  policy: policySchema.prefault({}).describe('What a finding means.'),
});
export type GatherScanTemplate = z.infer<typeof gatherScanSchema>;

const RESERVED = Object.values(MARK);
const metadata = z
  .record(
    z
      .string()
      .regex(
        /^[a-z0-9](?:[A-Za-z0-9._/-]{0,253}[A-Za-z0-9])?$/,
        'is not a label name such as com.example.team',
      )
      .refine((name) => !RESERVED.some((mark) => mark === name), 'is set by the factory itself'),
    withVariables(IMAGE_VARIABLES),
  )
  .refine((entries) => Object.keys(entries).length <= 200, 'has more than 200 entries')
  .default({});

/** Names in the root of a build's context that mean something to the engine. */
const BUILD_RESERVED = [
  '.dockerignore',
  '.image-factory.Dockerfile',
  '.image-factory.Dockerfile.dockerignore',
];

const dockerfile = z.string().superRefine((body, context) => {
  for (const { line, message } of dockerfileFaults(body))
    context.addIssue({ code: 'custom', message, params: { line } });
});

const buildArgs = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'is not the name of an ARG')
      // BUILDKIT_SYNTAX alone would have the engine fetch another frontend, by tag.
      .refine(
        (name) => !/^(?:BUILDKIT_|IMAGE_FACTORY_|SOURCE_DATE_EPOCH$|BASE_USER$)/.test(name),
        'is set by the factory itself',
      ),
    withVariables(IMAGE_VARIABLES),
  )
  .refine((entries) => Object.keys(entries).length <= 100, 'has more than 100 entries')
  .default({});

/** An image whose variables have the form of every image's. */
const SAMPLE = tagVariables({
  runId: '01890a5d-ac96-774b-bcce-b302099a8057',
  runStartedAt: '2026-03-01T02:00:00.000Z',
  source: formatReference({ host: DOCKER_HUB, path: 'harness/ci-addon', tag: '1.16.92', digest: null }),
  sourceDigest: parseDigest(`sha256:${'0'.repeat(64)}`),
});

const extraTag = checked((text) => {
  const [fault] = variableFaults(text, IMAGE_VARIABLES);
  if (fault !== undefined) return fault;
  return isTag(
    expand(
      expandEnv(text, () => 'x'),
      SAMPLE,
    ),
  )
    ? undefined
    : 'is no tag: it may have letters, digits, "_", "." and "-", at most 128, with its variables in place';
});

/** The template of building and pushing. */
export const buildPushSchema = z
  .strictObject({
    engine: z
      .enum(['auto', 'registry', 'buildkit'])
      .default('auto')
      .describe(
        'What makes the copy. `registry` only labels and needs no Docker, `buildkit` builds on a Docker Engine, `auto` builds where there is a `dockerfile`.',
      ),
    platforms: z
      .array(checked(platformFault))
      .max(50)
      .default([])
      .describe('Platforms to mirror; all that the source has when empty.'),
    labels: metadata.describe('Labels to add to every platform’s config. Values may have variables.'),
    annotations: metadata.describe('Annotations to add to OCI top manifests. Values may have variables.'),
    extraTags: z
      .array(extraTag)
      .max(10)
      .superRefine((tags, context) => {
        const twice = repeated(tags);
        if (twice !== undefined)
          context.addIssue({
            code: 'custom',
            path: [tags.lastIndexOf(twice)],
            message: `is ${quoted(twice)}, as another one is`,
          });
      })
      .default([])
      .describe(
        'Tags that a verified copy gets beside its own. In them `${source.digest}` is the digest’s hex digits, and `${run.time}` has - for :.',
      ),
    dockerfile: dockerfile
      .optional()
      .describe(
        'What follows `FROM` in a Dockerfile. The factory puts `FROM` with the source by digest in front.',
      ),
    buildArgs: buildArgs.describe('Values for `ARG`. They may have variables.'),
    files: filesSchema(BUILD_RESERVED).describe('Files for `COPY`: the whole of the build’s context.'),
    network: z
      .enum(['default', 'none', 'host'])
      .default('default')
      .describe('The network that `RUN` has: the engine’s own, none, or that of the engine’s machine.'),
    onUnbuildablePlatform: z
      .enum(['fail', 'copy', 'skip'])
      .default('fail')
      .describe(
        'A platform that the engine can’t build (arm64 without emulation, Windows): fail the image, copy it with labels only, or leave it out.',
      ),
    steps: stepsSchema(['before-build', 'after-build', 'before-push', 'after-push', 'after-run']).describe(
      'Programs of yours around building and pushing, and after the run.',
    ),
  })
  .superRefine((template, context) => {
    if (template === null || typeof template !== 'object') return;
    const say = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message });
    const { engine, dockerfile: body } = template;
    if (engine === 'registry' && body !== undefined)
      say('engine', 'is registry, which builds nothing: take it out, or the dockerfile');
    if (body !== undefined || engine === 'buildkit') return;
    for (const field of ['buildArgs', 'files'] as const)
      if (Object.keys(template[field] ?? {}).length > 0) say(field, 'means nothing without a dockerfile');
  }, ALWAYS);
export type BuildPushTemplate = z.infer<typeof buildPushSchema>;
