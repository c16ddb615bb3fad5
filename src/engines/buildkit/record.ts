import { z } from 'zod';
import type { BuildTask } from '../../contract/activities.js';
import type { Digest } from '../../contract/brand.js';
import type { BuiltImage } from '../../contract/outcome.js';
import { isDigest } from '../../registry/digest.js';
import type { EvidenceStore } from '../../store/evidence.js';

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const recordSchema = z.object({
  version: z.literal(1),
  source: z.string(),
  sourceDigest: digest,
  templateDigest: digest,
  built: z.object({
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
    log: z.object({ key: z.string(), digest }).optional(),
  }),
});

/** What builds of a run leave in the evidence store: `runs/<run id>/builds/<target>.json` and `.log`. */
export function buildKey(
  { runId, target }: Pick<BuildTask, 'runId' | 'target'>,
  ending: 'json' | 'log',
): string {
  const name = target.replace(/[^A-Za-z0-9._-]/g, '_').slice(-180);
  return `runs/${runId}/builds/${name.replace(/^\./, '_')}.${ending}`;
}

/** What the run has built of this source by this template already, on whatever worker. */
export async function readRecord(
  task: BuildTask,
  evidence: EvidenceStore,
  signal: AbortSignal,
): Promise<BuiltImage | undefined> {
  const bytes = await evidence.get(buildKey(task, 'json'), signal);
  if (bytes === undefined) return undefined;
  try {
    const record = recordSchema.parse(JSON.parse(bytes.toString('utf8')));
    const same =
      record.source === task.source &&
      record.sourceDigest === task.sourceDigest &&
      record.templateDigest === task.build.templateDigest;
    return same ? withoutUndefined(record.built) : undefined;
  } catch {
    return undefined; // as good as none: it is built again
  }
}

export async function writeRecord(
  task: BuildTask,
  built: BuiltImage,
  evidence: EvidenceStore,
  signal: AbortSignal,
): Promise<void> {
  const { source, sourceDigest, build } = task;
  const { templateDigest } = build;
  const record = { version: 1, source, sourceDigest, templateDigest, built };
  await evidence.put(buildKey(task, 'json'), JSON.stringify(record), signal);
}

/** As an activity's result comes back from Temporal. */
const withoutUndefined = ({
  platforms,
  skipped,
  log,
  ...image
}: z.output<typeof recordSchema>['built']): BuiltImage => ({
  ...image,
  platforms: platforms.map(({ how, ...one }) => (how === undefined ? one : { ...one, how })),
  ...(skipped === undefined ? {} : { skipped }),
  ...(log === undefined ? {} : { log }),
});
