import { rm } from 'node:fs/promises';
import type { Digest } from '../../src/contract/brand.js';
import type { DiscoveredImage, RunConfig } from '../../src/contract/run.js';
import type { Verdict } from '../../src/contract/verdict.js';
import { ledgerKey, readLedger, writeLedger } from '../../src/mirror/ledger.js';
import { planImages } from '../../src/mirror/plan.js';
import { writeVerdict } from '../../src/scanners/verdict-store.js';
import type { TestImage } from '../support/images.js';
import { BUILD, built, context, discovered, mirror, runConfig, type Sides } from './side.js';

export const NAME = 'harness/ci-addon:1.16.92';

export async function planOne(
  sides: Sides,
  config: RunConfig = runConfig(sides),
  image: DiscoveredImage = discovered(sides, NAME),
) {
  const ports = { source: sides.registry, target: sides.registry, evidence: sides.evidence };
  const [item] = await planImages([image], config, ports, false, context().signal);
  return item;
}

/** Mirrors an image as a run does, with or without the memory of it. */
export async function mirrored(
  sides: Sides,
  image: TestImage,
  remember: 'verified' | 'unverified' | 'forgotten',
): Promise<void> {
  const task = await built(sides, NAME, image);
  await mirror(sides, task);
  if (remember === 'forgotten') return rm(sides.evidence.locate(ledgerKey(task.target)));
  const entry = await readLedger(sides.evidence, task.target);
  if (entry === undefined) throw new Error('verify left no entry');
  // As a worker leaves it that dies right after the tag was put.
  if (remember === 'unverified')
    await writeLedger(sides.evidence, { ...entry, target: task.target, verifiedAt: null });
}

export const scanned = (sides: Sides, image: TestImage, changes: Partial<Verdict> = {}): Promise<void> =>
  judged(sides, image.top.descriptor.digest, changes);

export async function judged(sides: Sides, digest: Digest, changes: Partial<Verdict> = {}): Promise<void> {
  await writeVerdict(sides.evidence, digest, BUILD.platforms, {
    decision: 'pass',
    rule: 'nothing found',
    platforms: [],
    policyDigest: runConfig(sides).gatherScan.policyDigest,
    scannedAt: '2026-11-01T00:00:00.000Z',
    database: { updatedAt: '2026-11-01T00:00:00.000Z', digest: null, javaDigest: null },
    ...changes,
  });
}
