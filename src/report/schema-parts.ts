import { z } from 'zod';
import { HOOKS, INFRAS } from '../contract/run.js';
import { SEVERITIES } from '../contract/verdict.js';

const digest = z.string().describe('`sha256:<64 hex>`');

const findingSchema = z
  .object({
    id: z.string().describe('E.g. `CVE-2022-37434`.'),
    package: z.string(),
    installed: z.string(),
    fixed: z.string().nullable().describe('The version that mends it.'),
    severity: z.enum(SEVERITIES),
    title: z.string(),
    url: z.string().nullable(),
    platforms: z.array(z.string()),
    foundBy: z.array(z.string()).describe('Names of the scanners that found it; `trivy` is Trivy.'),
    suppressed: z
      .object({ owner: z.string(), reason: z.string(), expires: z.string() })
      .nullable()
      .describe('The exception of the policy that takes it out.'),
  })
  .describe('One vulnerability in one package, on the platforms that have it.');

export const imageFindingsSchema = z.object({
  total: z.int().min(0).describe('How many were read; `list` has the worst of them.'),
  list: z.array(findingSchema),
  unread: z
    .array(z.object({ platform: z.string(), reason: z.string() }))
    .describe('Platforms whose findings are not in `total`; see the scanner’s own output.'),
});

export const changesSchema = z
  .object({
    since: z.object({ run: z.string(), finishedAt: z.string(), report: z.string() }),
    appeared: z.array(z.string()),
    gone: z.array(z.string()),
    changed: z.array(z.object({ image: z.string(), what: z.array(z.string()) })),
    fields: z.array(
      z.object({
        infra: z.enum(INFRAS),
        field: z.string(),
        before: z.string().nullable(),
        after: z.string().nullable(),
      }),
    ),
  })
  .describe('What is different from the last run of this registry and account.');

export const trafficSchema = z
  .array(
    z.object({
      host: z.string().describe('`host[:port]` as asked: also token servers, and where redirects lead.'),
      requests: z.int().min(0),
      bytesIn: z.int().min(0).describe('Bytes of bodies that came.'),
      bytesOut: z.int().min(0).describe('Bytes of bodies that went.'),
      limited: z.int().min(0).describe('How often it asked us to slow down (429, or 503 with Retry-After).'),
      remaining: z
        .int()
        .min(0)
        .nullable()
        .describe(
          'What was left of its limit, as it said last (`ratelimit-remaining`); null where it never did.',
        ),
    }),
  )
  .describe(
    'What this run asked of registries, by all workers. What Trivy fetches itself (its databases) is not in it.',
  );

export const evidenceSchema = z
  .object({ key: z.string(), digest })
  .describe('A file in the evidence store, and what its bytes hash to.');

export const templateStepsSchema = z
  .array(
    z.object({
      name: z.string(),
      at: z.enum(HOOKS).describe('Its place.'),
      ok: z.boolean(),
      message: z.string().describe('What it said last, or why it failed.'),
      ms: z.number().min(0),
      output: evidenceSchema.nullable().describe('What it printed; null when it never ran.'),
    }),
  )
  .describe('How steps of templates ended.');

export const templateSchema = z.object({
  name: z.string(),
  digest: digest.describe('Of what the run takes from it.'),
  text: z
    .string()
    .nullable()
    .describe('As it was when the run was resolved; null when that is not on record.'),
  file: evidenceSchema.nullable(),
});

export const engineSchema = z
  .object({ version: z.string(), platforms: z.array(z.string()) })
  .describe('The Docker Engine that built.');

export const evidenceFileSchema = z.object({ what: z.string(), key: z.string(), digest });

export type ReportFinding = z.infer<typeof findingSchema>;
export type ImageFindings = z.infer<typeof imageFindingsSchema>;
export type EvidenceFile = z.infer<typeof evidenceFileSchema>;
export type TemplateSteps = z.infer<typeof templateStepsSchema>;
export type ReportTemplate = z.infer<typeof templateSchema>;
