import { z } from 'zod';
import { INFRAS } from '../contract/run.js';
import type { ReportImage } from './schema.js';
import type { changesSchema } from './schema-parts.js';
import { clip, compare } from './text.js';

export type Changes = z.infer<typeof changesSchema>;

/** The part of an earlier report that is compared; one of an older version may have more or less of the rest. */
export const earlierSchema = z.object({
  run: z.object({ id: z.string(), finishedAt: z.string() }),
  configuration: z
    .object({
      registry: z.string(),
      account: z.string(),
      infra: z.array(z.string()).optional(),
      include: z.array(z.string()).optional(),
      exclude: z.array(z.string()).optional(),
    })
    .nullable(),
  images: z.array(
    z.object({
      image: z.string(),
      sourceDigest: z.string().nullable(),
      targetDigest: z.string().nullable(),
      outcome: z.object({ kind: z.string() }),
      verdict: z.object({ decision: z.string() }).nullable(),
      builtVerdict: z.object({ decision: z.string() }).nullish(),
      fields: z.array(z.object({ infra: z.enum(INFRAS), field: z.string() })),
    }),
  ),
});

export type Earlier = z.infer<typeof earlierSchema>;
type EarlierImage = Earlier['images'][number];

const GOOD = ['mirrored', 'rescanned', 'unchanged'];
const digestText = (digest: string | null): string => digest?.slice(0, 19) ?? 'none';

/** Ends that say the same of the registry are no change: what was mirrored last night is unchanged tonight. */
const endOf = ({ outcome }: EarlierImage): string =>
  GOOD.includes(outcome.kind) ? 'as it should be' : outcome.kind;

/** On what runs: what was built of the source, where something was. */
const decisionOn = ({ verdict, builtVerdict }: EarlierImage): string | undefined =>
  (builtVerdict ?? verdict)?.decision;

function differences(before: EarlierImage, after: ReportImage): string[] {
  const what: string[] = [];
  const differ = (name: string, from: string, to: string): void => {
    if (from !== to) what.push(`${name} ${clip(from, 100)} → ${clip(to, 100)}`);
  };
  differ('outcome', endOf(before), endOf(after));
  // An image that could not be resolved has no digest, and one that was never reached no new verdict.
  if (after.sourceDigest !== null)
    differ('source', digestText(before.sourceDigest), digestText(after.sourceDigest));
  if (after.targetDigest !== null)
    differ('copy', digestText(before.targetDigest), digestText(after.targetDigest));
  const now = decisionOn(after);
  if (now !== undefined) differ('verdict', decisionOn(before) ?? 'unscanned', now);
  // The digests may well be those of before: it was put back.
  if (after.drift !== null) what.push(driftText(after));
  return what;
}

const driftText = ({ drift, outcome }: ReportImage): string =>
  `copy ${drift === 'missing' ? 'was gone' : 'was replaced by someone'}, ${outcome.kind === 'mirrored' ? 'and was put back' : 'and was not put back'}`;

/** Which image each of the account's fields had. */
const fieldsOf = (images: readonly EarlierImage[]) =>
  new Map(
    images.flatMap(({ image, fields }) =>
      fields.map((one) => [`${one.infra} ${one.field}`, { ...one, image }] as const),
    ),
  );

/** What is different from an earlier report. Pure. @param report the earlier report's evidence key */
export function changesSince(earlier: Earlier, report: string, images: readonly ReportImage[]): Changes {
  const before = new Map(earlier.images.map((image) => [image.image, image]));
  const now = new Set(images.map(({ image }) => image));
  const [fieldsBefore, fieldsNow] = [fieldsOf(earlier.images), fieldsOf(images)];
  const fields = [...new Set([...fieldsBefore.keys(), ...fieldsNow.keys()])].sort(compare);
  return {
    since: { run: earlier.run.id, finishedAt: earlier.run.finishedAt, report },
    appeared: [...now].filter((image) => !before.has(image)),
    gone: [...before.keys()].filter((image) => !now.has(image)),
    changed: images.flatMap((image) => {
      const was = before.get(image.image);
      const what = was === undefined ? [] : differences(was, image);
      return what.length === 0 ? [] : [{ image: image.image, what }];
    }),
    fields: fields.flatMap((key) => {
      const [old, fresh] = [fieldsBefore.get(key), fieldsNow.get(key)];
      const one = fresh ?? old;
      if (one === undefined || old?.image === fresh?.image) return [];
      const { infra, field } = one;
      return [{ infra, field, before: old?.image ?? null, after: fresh?.image ?? null }];
    }),
  };
}
