import pLimit from 'p-limit';
import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import type { Reference } from '../contract/brand.js';
import { PAGE_SIZE, type PlanItem } from '../contract/plan.js';
import { type DiscoveredImage, INFRAS } from '../contract/run.js';
import type { EvidenceStore } from '../store/evidence.js';

// What a run hands from step to step beside Temporal: its payloads stay small however many images there are.

// Written by formatReference, on any worker of this version.
const reference = z.custom<Reference>((value) => typeof value === 'string');

const imageSchema: z.ZodType<DiscoveredImage> = z.object({
  name: z.string(),
  candidates: z.array(reference),
  target: reference.nullable(),
  fields: z.array(z.object({ infra: z.enum(INFRAS), field: z.string() })),
  problem: z.string().optional(),
});

/** Pages written at once: discovery has half a minute, and 5,000 images have 125 pages. */
const WRITERS = 8;

const numbered = (n: number): string => String(n).padStart(4, '0');

/** Writes what was discovered in pages of {@link PAGE_SIZE}. @returns their keys, in order. */
export async function writeDiscovery(
  evidence: EvidenceStore,
  runId: string,
  images: readonly DiscoveredImage[],
  signal: AbortSignal,
): Promise<string[]> {
  const limit = pLimit(WRITERS);
  const pages = Array.from({ length: Math.ceil(images.length / PAGE_SIZE) }, (_, page) => page);
  return Promise.all(
    pages.map((page) =>
      limit(async () => {
        const key = `runs/${runId}/discovery/${numbered(page)}.json`;
        const at = page * PAGE_SIZE;
        await evidence.put(key, JSON.stringify(images.slice(at, at + PAGE_SIZE)), signal);
        return key;
      }),
    ),
  );
}

/** @throws FactoryError `EvidenceUnavailable` when the page is not there: workers must share the evidence store. */
export async function readDiscovery(
  evidence: EvidenceStore,
  key: string,
  signal: AbortSignal,
): Promise<DiscoveredImage[]> {
  const bytes = await evidence.get(key, signal);
  if (bytes === undefined) {
    throw new FactoryError(
      'EvidenceUnavailable',
      `${evidence.locate(key)} is not there: all workers must share one evidence store (REPORT_DIR or S3_BUCKET)`,
    );
  }
  return z.array(imageSchema).parse(JSON.parse(bytes.toString('utf8')));
}

/** Records a planned page beside the discovered one. @returns its key. */
export async function writePlan(
  evidence: EvidenceStore,
  discoveryKey: string,
  items: readonly PlanItem[],
  signal: AbortSignal,
): Promise<string> {
  const key = discoveryKey.replace('/discovery/', '/plan/');
  await evidence.put(key, JSON.stringify(items), signal);
  return key;
}
