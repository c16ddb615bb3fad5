import { z } from 'zod';
import { STEPS } from '../contract/outcome.js';
import { INFRAS } from '../contract/run.js';
import { SEVERITIES } from '../contract/verdict.js';
import {
  changesSchema,
  engineSchema,
  evidenceSchema as evidence,
  evidenceFileSchema,
  imageFindingsSchema,
  templateSchema,
  templateStepsSchema,
  trafficSchema,
} from './schema-parts.js';

const digest = z.string().describe('`sha256:<64 hex>`');
const time = z.string().describe('ISO 8601, UTC');
const counts = z.record(z.enum(SEVERITIES), z.int().min(0));
const decision = z.enum(['pass', 'warn', 'block']);

const scanSchema = z.object({
  status: z.enum(['clean', 'findings', 'not-scannable']),
  counts: counts.describe('Distinct (vulnerability, package) pairs after exceptions.'),
  fixable: counts.describe('Those of `counts` that a newer package fixes.'),
  suppressed: z.int().min(0).describe('Findings that an exception took out.'),
  reason: z.string().nullable(),
  evidence: evidence.describe('What Trivy wrote.'),
  others: z
    .array(z.object({ scanner: z.string(), evidence }))
    .describe('What scanners beside Trivy wrote; their findings are in the counts.'),
});

const platformSchema = z.object({
  platform: z.string(),
  sourceDigest: digest.nullable(),
  targetDigest: digest.nullable(),
  how: z
    .enum(['built', 'labelled'])
    .nullable()
    .describe('`built` by a Docker Engine, or only labelled; null when nothing was made in this run.'),
  scan: scanSchema.nullable().describe('Of the source.'),
  builtScan: scanSchema
    .nullable()
    .describe('Of what a Docker Engine built, which is what runs; null where the platform was not built.'),
});

const verdictSchema = z.object({
  decision,
  rule: z.string(),
  scannedAt: time,
  ageHours: z.int().min(0).describe('Age at the end of the run, in whole hours.'),
  thisRun: z.boolean().describe('Whether this run scanned; otherwise it is the last verdict on record.'),
  policyDigest: digest,
  databaseUpdatedAt: time.nullable(),
  evidence: z.string().nullable().describe('Evidence key of the whole verdict.'),
});

const imageSchema = z.object({
  image: z.string().describe('As Harness names it.'),
  source: z.string().nullable(),
  sourceDigest: digest.nullable(),
  target: z.string().nullable(),
  targetDigest: digest.nullable().describe('What the target holds at the end, as far as the run knows.'),
  previousTargetDigest: digest.nullable(),
  state: z.enum(['create', 'update', 'unchanged', 'needs-scan', 'unresolved']),
  reason: z.string(),
  drift: z.enum(['missing', 'replaced']).nullable(),
  outcome: z.object({
    kind: z.enum([
      'mirrored',
      'rescanned',
      'blocked',
      'skipped',
      'unchanged',
      'unresolved',
      'failed',
      'cancelled',
    ]),
    note: z.string(),
    step: z.enum(STEPS).nullable(),
    type: z.string().nullable().describe('The failure’s stable name.'),
  }),
  fields: z.array(z.object({ infra: z.enum(INFRAS), field: z.string() })),
  platforms: z.array(platformSchema),
  skippedPlatforms: z
    .array(z.string())
    .describe('Left out, since the Docker Engine can’t build them and the template says skip.'),
  buildLog: evidence.nullable().describe('What the Docker Engine printed.'),
  verdict: verdictSchema.nullable().describe('On the source.'),
  builtVerdict: verdictSchema
    .nullable()
    .describe(
      'On what a Docker Engine built of it, scanned before the push; null when nothing was built. It decides on its platforms, and `findings` are of what was built.',
    ),
  findings: imageFindingsSchema,
  steps: z.array(z.object({ step: z.enum(STEPS), at: time, ms: z.number().min(0) })),
  templateSteps: templateStepsSchema,
  push: z
    .object({
      blobs: z.int(),
      uploadedBlobs: z.int(),
      mountedBlobs: z.int(),
      uploadedBytes: z.number(),
    })
    .nullable(),
});

export const ATTENTION_KINDS = [
  'ended-early',
  'blocked',
  'failed',
  'unresolved',
  'account-refused',
  'field-rejected',
  'drift',
  'findings',
  'not-scannable',
  'unscanned',
  'step-failed',
  'platform-left-out',
  'exception-expired',
  'skipped',
] as const;

const attentionSchema = z.object({
  kind: z.enum(ATTENTION_KINDS),
  level: z.enum(['error', 'warning']),
  subject: z.string(),
  text: z.string(),
});

const accountSchema = z.object({
  infra: z.enum(INFRAS),
  account: z.string(),
  kind: z.enum(['updated', 'unchanged', 'refused', 'failed', 'skipped']),
  reason: z.string(),
  snapshot: z.string().nullable().describe('Evidence key of the overrides as they were before.'),
  updated: z.array(z.object({ field: z.string(), before: z.string().nullable(), after: z.string() })),
  rejected: z.array(z.object({ field: z.string(), value: z.string(), reason: z.string() })),
});

/** The machine-readable report of one run. */
export const reportSchema = z
  .object({
    version: z.literal(1),
    verdict: z.object({
      ok: z.boolean().describe('Whether every image is as it should be.'),
      scanned: z.boolean().describe('False when the run was told not to scan.'),
      sentence: z.string(),
    }),
    run: z.object({
      id: z.string(),
      workflowId: z.string(),
      startedAt: time,
      finishedAt: time,
      end: z.object({
        kind: z.enum(['completed', 'cancelled', 'failed']),
        type: z.string().nullable(),
        message: z.string().nullable(),
      }),
    }),
    configuration: z
      .object({
        registry: z.string(),
        harness: z.string(),
        account: z.string(),
        answeredBy: z.string().nullable().describe('Which Harness API answered.'),
        sourceRegistries: z.array(z.string()),
        include: z.array(z.string()).describe('Of the run’s input: only these images were looked at.'),
        exclude: z.array(z.string()).describe('Of the run’s input: these were not.'),
        infra: z.array(z.enum(INFRAS)),
        modifyDefault: z.boolean(),
        gatherScanTemplate: templateSchema,
        buildPushTemplate: templateSchema,
        policy: z.object({
          digest,
          failOn: z.enum(SEVERITIES),
          fixableOnly: z.boolean(),
          action: z.enum(['warn', 'block']),
          notScannable: decision,
          maxDatabaseAgeHours: z.number(),
        }),
      })
      .nullable()
      .describe('Null when the input was refused.'),
    database: z
      .object({ updatedAt: time, digest: digest.nullable(), javaDigest: digest.nullable() })
      .nullable()
      .describe('The vulnerability database that this run used.'),
    engine: engineSchema.nullable(),
    templateSteps: templateStepsSchema.describe(
      'How the run’s own steps of templates ended, up to its report.',
    ),
    counts: z.record(z.string(), z.int().min(0)).describe('Images by outcome.'),
    findings: z
      .object({ total: z.int().min(0), listed: z.int().min(0), exported: z.int().min(0) })
      .describe(
        'How many were read, how many are in this file, and how many in report.csv and report.sarif.',
      ),
    changes: changesSchema
      .nullable()
      .describe('Null when there is no earlier run of this registry, account and selection.'),
    traffic: trafficSchema,
    evidence: z.array(evidenceFileSchema).describe('Every file that this report rests on, and its hash.'),
    needsAttention: z.array(attentionSchema),
    images: z.array(imageSchema),
    accounts: z.array(accountSchema),
    exceptions: z.array(
      z.object({
        id: z.string(),
        package: z.string().nullable(),
        owner: z.string(),
        reason: z.string(),
        expires: z.string(),
        expired: z.boolean(),
      }),
    ),
  })
  .describe('Compliance report of a Harness CI Image Factory run, version 1.');

export type Report = z.infer<typeof reportSchema>;
export type ReportImage = Report['images'][number];
export type Attention = Report['needsAttention'][number];
