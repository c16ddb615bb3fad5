import { z } from 'zod';
import { MARK } from '../contract/names.js';
import { SEVERITIES } from '../contract/verdict.js';
import { parseReference } from '../registry/reference.js';
import { globFault, platformFault } from './input-fields.js';

/** A text that passes when `fault` finds nothing. */
const checked = (fault: (text: string) => string | undefined) =>
  z
    .string()
    .min(1)
    .superRefine((text, context) => {
      const why = fault(text);
      if (why !== undefined) context.addIssue({ code: 'custom', message: why });
    });

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

/** One line of text that a person wrote. */
const words = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .regex(/^[^\r\n]*$/, 'must be one line');

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

/** The declarative template of gathering and scanning. */
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
  scanners: z
    .array(z.literal('trivy', 'must be trivy, the one scanner of this version'))
    .length(1)
    .default(['trivy'])
    .describe('What looks into the images.'),
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
    z.string('must be text: put the value in quotes').max(4096),
  )
  .refine((entries) => Object.keys(entries).length <= 200, 'has more than 200 entries')
  .default({});

/** The declarative template of building and pushing. */
export const buildPushSchema = z.strictObject({
  engine: z
    .enum(['auto', 'registry'], 'must be auto or registry: this version has no engine that needs Docker')
    .default('auto')
    .describe('What makes the copy; `auto` picks by what the template asks for.'),
  platforms: z
    .array(checked(platformFault))
    .max(50)
    .default([])
    .describe('Platforms to mirror; all that the source has when empty.'),
  labels: metadata.describe('Labels to add to every platform’s config.'),
  annotations: metadata.describe('Annotations to add to OCI top manifests.'),
});
export type BuildPushTemplate = z.infer<typeof buildPushSchema>;
