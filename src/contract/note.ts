import type { ImageOutcome, ImageRecord } from './outcome.js';

/** An outcome in a few words, for tables and terminal lines. */
export function noteOf(outcome: ImageOutcome): string {
  switch (outcome.kind) {
    case 'mirrored': {
      const { built, push, verdict } = outcome;
      const sent = push.uploadedBytes === 0 ? 'nothing to send' : `${megabytes(push.uploadedBytes)} sent`;
      const warned =
        verdict === null ? 'unscanned' : verdict.decision === 'warn' ? `warning: ${verdict.rule}` : null;
      return [`${platforms(built.platforms.length)} verified`, sent, warned].filter(Boolean).join(', ');
    }
    case 'rescanned':
      return outcome.verdict.decision === 'warn'
        ? `warning: ${outcome.verdict.rule}`
        : 'scanned, nothing to push';
    case 'blocked':
      return outcome.verdict.rule;
    case 'skipped':
    case 'unresolved':
      return outcome.reason;
    case 'failed':
      return `${outcome.step === null ? '' : `${outcome.step}: `}${outcome.message} (${outcome.type})`;
    case 'unchanged':
      return 'already as it should be';
    case 'cancelled':
      return 'the run was cancelled';
  }
}

/** The same, and that a copy that had been lost or replaced is in place again. */
export function noteOfRecord({ item, outcome }: ImageRecord): string {
  const note = noteOf(outcome);
  if (outcome.kind !== 'mirrored' || item.state === 'unresolved' || item.drift === null) return note;
  return `${note}; ${item.drift === 'missing' ? 'the copy was gone' : 'the tag held something else'}: put back`;
}

/** What a person can do about an image that the policy keeps out. */
export const AFTER_BLOCK =
  'wait for a fixed version, which the next run takes, or add an exception to the policy of the gather-scan template';

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const platforms = (count: number): string => `${count} platform${count === 1 ? '' : 's'}`;
