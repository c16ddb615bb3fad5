import type { RestoreInput, RunInput } from './input.js';
import type { AccountOutcome } from './outcome.js';

/**
 * The input of the `restoreHarness` that undoes what a run did to the account. An update that failed may have set fields
 * before it did: where a snapshot was taken, there is a way back.
 *
 * @param input what the run was started with: a Harness that it named is named again
 * @returns null where the account was not touched
 */
export function undoOf(
  runId: string,
  accounts: readonly AccountOutcome[],
  input: RunInput,
): RestoreInput | null {
  const infra = accounts.flatMap((one) =>
    (one.kind === 'updated' || one.kind === 'failed') && one.snapshotKey !== null ? [one.infra] : [],
  );
  if (infra.length === 0) return null;
  const harnessUrl = named(input, 'harnessUrl');
  const harnessApiKeySecret = named(input, 'harnessApiKeySecret');
  return {
    runId,
    infra,
    ...(harnessUrl === undefined ? {} : { harnessUrl }),
    ...(harnessApiKeySecret === undefined ? {} : { harnessApiKeySecret }),
  };
}

/** A field of the input as it came, under its name or the old pipeline's (`HARNESS_URL`). */
function named(input: RunInput, field: 'harnessUrl' | 'harnessApiKeySecret'): string | undefined {
  const values = new Map<string, unknown>(Object.entries(input));
  const alias = field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  const value = values.get(field) ?? values.get(alias);
  return typeof value === 'string' ? value : undefined;
}

/** The words after our CLI's name that undo it, ready to be pasted into a shell. */
export function restoreWords({ runId, infra, harnessUrl, harnessApiKeySecret }: RestoreInput): string {
  return [
    `restore ${runId}`,
    ...(infra.join() === 'K8' ? [] : [`--infra ${infra.join()}`]),
    ...(harnessUrl === undefined ? [] : [`--harness-url ${shellWord(harnessUrl)}`]),
    ...(harnessApiKeySecret === undefined
      ? []
      : [`--harness-api-key-secret ${shellWord(harnessApiKeySecret)}`]),
  ].join(' ');
}

/** A text as one word of a POSIX shell. */
export const shellWord = (text: string): string =>
  /^[\w./:@=-]+$/.test(text) ? text : `'${text.replace(/\p{Cc}/gu, '').replaceAll("'", `'\\''`)}'`;
