import { decidingOf } from './deciding.js';
import type { Report } from './schema.js';

/** What the reader of the first line must know of images that are not as they should be, worst first. */
const BAD = [
  ['failed', 'failed'],
  ['blocked', 'blocked by policy'],
  ['unresolved', 'could not be resolved'],
  ['cancelled', 'left undone'],
  ['skipped', 'skipped'],
] as const;

export const images = (count: number): string => `${count} image${count === 1 ? '' : 's'}`;

/** The verdict over the whole run, in words. An unscanned run says so before anything else. */
export function sentenceOf(report: Report): string {
  const { counts, run, verdict, configuration } = report;
  const unscanned = verdict.scanned ? '' : 'Unscanned: this run was told not to scan. ';
  const total = report.images.length;
  const good = (counts.mirrored ?? 0) + (counts.rescanned ?? 0) + (counts.unchanged ?? 0);
  const where = configuration === null ? '' : ` in ${configuration.registry}`;
  const bad = BAD.flatMap(([kind, words]) =>
    counts[kind] === undefined ? [] : [`${counts[kind]} ${words}`],
  ).join(', ');
  const state =
    total === 0
      ? ''
      : bad === ''
        ? `${total === 1 ? 'The one image is as it' : `All ${total} images are as they`} should be${where}`
        : `${good} of ${images(total)} ${good === 1 ? 'is' : 'are'} as they should be${where}; ${bad}`;
  const warned = report.images.filter(
    (image) => decidingOf(image).verdict?.decision === 'warn' && image.outcome.kind !== 'blocked',
  ).length;
  const warnings = warned === 0 ? '' : `; ${warned} ${warned === 1 ? 'has' : 'have'} a warning`;
  const body = state === '' ? '' : `${state}${warnings}.`;
  const refused = report.accounts.filter(({ kind }) => kind === 'refused' || kind === 'failed');
  const account =
    refused.length === 0
      ? ''
      : ` The account was not updated for ${refused.map(({ infra }) => infra).join(' and ')}.`;
  if (run.end.kind === 'cancelled') return `${unscanned}The run was cancelled. ${body}${account}`.trim();
  // `ImagesFailed` only says what the counts say.
  if (run.end.kind === 'failed' && (run.end.type !== 'ImagesFailed' || total === 0))
    return `${unscanned}The run failed (${run.end.type}): ${run.end.message} ${body}${account}`.trim();
  return `${unscanned}${body === '' ? 'There was no image to mirror.' : body}${account}`.trim();
}
