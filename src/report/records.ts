import { z } from 'zod';
import type { Reference } from '../contract/brand.js';
import { type ImageRecord, STEPS } from '../contract/outcome.js';
import { HOOKS, INFRAS } from '../contract/run.js';
import type { Verdict } from '../contract/verdict.js';
import { isDigest } from '../registry/digest.js';
import { verdictSchema } from '../scanners/verdict-schema.js';

// Evidence is read back from a place that others can write to, so it is checked like any answer from outside; members
// that a later version adds are let through.

const digest = z.string().refine(isDigest);
// `parseReference` made it before it was written; the report only shows it.
const reference = z.string().transform((text) => text as Reference);
const decision = verdictSchema.shape.decision;

const itemBase = {
  image: z.string(),
  fields: z.array(z.object({ infra: z.enum(INFRAS), field: z.string() })),
  reason: z.string(),
};
const planItem = z.discriminatedUnion('state', [
  z.object({ ...itemBase, state: z.literal('unresolved'), target: reference.nullable() }),
  z.object({
    ...itemBase,
    state: z.enum(['create', 'update', 'unchanged', 'needs-scan']),
    source: reference,
    sourceDigest: digest,
    target: reference,
    targetDigest: digest.nullable(),
    drift: z.enum(['missing', 'replaced']).nullable(),
    lastVerdict: z
      .object({ decision, rule: z.string(), scannedAt: z.string(), policyDigest: digest, key: z.string() })
      .nullable(),
    skipped: z.array(z.string()).optional(),
  }),
]);

const evidence = z.object({ key: z.string(), digest });
const builtImage = z.object({
  digest,
  mediaType: z.string(),
  platforms: z.array(
    z.object({
      platform: z.string(),
      source: digest,
      target: digest,
      how: z.enum(['built', 'labelled']).optional(),
    }),
  ),
  skipped: z.array(z.string()).optional(),
  log: evidence.optional(),
});
const worked = {
  steps: z.array(z.object({ step: z.enum(STEPS), at: z.string(), ms: z.number() })),
  builtVerdict: verdictSchema.optional(),
  templateSteps: z
    .array(
      z.object({
        name: z.string(),
        at: z.enum(HOOKS),
        ok: z.boolean(),
        message: z.string(),
        ms: z.number(),
        output: evidence.nullable(),
      }),
    )
    .optional(),
};
const outcome = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('mirrored'),
    built: builtImage,
    verdict: verdictSchema.nullable(),
    push: z.object({
      blobs: z.number(),
      uploadedBlobs: z.number(),
      mountedBlobs: z.number(),
      uploadedBytes: z.number(),
    }),
    ...worked,
  }),
  z.object({ kind: z.literal('rescanned'), verdict: verdictSchema, ...worked }),
  z.object({ kind: z.literal('blocked'), verdict: verdictSchema, built: builtImage.optional(), ...worked }),
  z.object({ kind: z.literal('skipped'), reason: z.string() }),
  z.object({ kind: z.literal('unchanged') }),
  z.object({ kind: z.literal('unresolved'), reason: z.string() }),
  z.object({
    kind: z.literal('failed'),
    step: z.enum(STEPS).nullable(),
    type: z.string(),
    message: z.string(),
  }),
  z.object({ kind: z.literal('cancelled') }),
]);

const recordsSchema = z.array(z.object({ item: planItem, outcome }));

/** JSON of untrusted bytes; undefined when it is none. */
function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Reads a page of outcomes; undefined when it is not one. */
export const readRecords = (bytes: Buffer): ImageRecord[] | undefined =>
  recordsSchema.safeParse(jsonOf(bytes)).data;

/** Reads a verdict; undefined when it is not one. */
export const readVerdict = (bytes: Buffer): Verdict | undefined =>
  verdictSchema.safeParse(jsonOf(bytes)).data;
