import { type BuiltImage, decidingVerdict, type ImageOutcome, type ImageRecord } from './outcome.js';
import type { Verdict } from './verdict.js';

/** An outcome in a few words, for tables and terminal lines. */
export function noteOf(outcome: ImageOutcome): string {
  switch (outcome.kind) {
    case 'mirrored': {
      const { built, push } = outcome;
      const verdict = decidingVerdict<Verdict | null>(outcome);
      const sent = push.uploadedBytes === 0 ? 'nothing to send' : `${megabytes(push.uploadedBytes)} sent`;
      const warned =
        verdict === null ? 'unscanned' : verdict.decision === 'warn' ? `warning: ${ruleOf(outcome)}` : null;
      const steps = (outcome.templateSteps ?? [])
        .filter(({ ok }) => !ok)
        .map(({ name }) => `step ${name} failed`);
      return [`${platforms(built.platforms.length)} verified`, sent, warned, ...steps]
        .filter(Boolean)
        .join(', ');
    }
    case 'rescanned':
      return decidingVerdict(outcome).decision === 'warn'
        ? `warning: ${ruleOf(outcome)}`
        : 'scanned, nothing to push';
    case 'blocked':
      return ruleOf(outcome);
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

/** Which rule decided on an image that was scanned, and whether it was seen only in what was built of it. */
function ruleOf(outcome: {
  verdict: Verdict | null;
  builtVerdict?: Verdict;
  built?: Pick<BuiltImage, 'skipped'>;
}): string {
  const verdict = decidingVerdict<Verdict | null>(outcome);
  return `${verdict !== null && verdict === outcome.builtVerdict ? AFTER_BUILD : ''}${verdict?.rule ?? ''}`;
}

/** The same, and that a copy that had been lost or replaced is in place again. */
export function noteOfRecord({ item, outcome }: ImageRecord): string {
  const note = noteOf(outcome);
  if (outcome.kind !== 'mirrored' || item.state === 'unresolved' || item.drift === null) return note;
  return `${note}; ${item.drift === 'missing' ? 'the copy was gone' : 'the tag held something else'}: put back`;
}

/** Before the rule of a verdict on what was built. */
export const AFTER_BUILD = 'after the build: ';

/** What a person can do about an image that the policy keeps out. */
export const AFTER_BLOCK =
  'wait for a fixed version, which the next run takes, or add an exception to the policy of the gather-scan template';

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const platforms = (count: number): string => `${count} platform${count === 1 ? '' : 's'}`;
