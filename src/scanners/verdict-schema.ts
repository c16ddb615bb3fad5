import { z } from 'zod';
import type { Digest } from '../contract/brand.js';
import { SEVERITIES } from '../contract/verdict.js';
import { isDigest } from '../registry/digest.js';

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const evidence = z.object({ key: z.string(), digest });
const counts = z.record(z.enum(SEVERITIES), z.int().min(0));

/** A whole verdict, as the verdict store and the outcome pages have it; members of a later version are let through. */
export const verdictSchema = z.object({
  decision: z.enum(['pass', 'warn', 'block']),
  rule: z.string(),
  platforms: z.array(
    z.object({
      platform: z.string(),
      digest,
      status: z.enum(['clean', 'findings', 'not-scannable']),
      counts,
      fixable: counts,
      suppressed: z.int().min(0),
      reason: z.string().optional(),
      evidence,
      others: z.array(z.object({ scanner: z.string(), evidence })).optional(),
    }),
  ),
  policyDigest: digest,
  scannedAt: z.iso.datetime(),
  database: z.object({
    updatedAt: z.iso.datetime(),
    digest: digest.nullable(),
    javaDigest: digest.nullable(),
  }),
});
