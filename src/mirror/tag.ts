import { FactoryError } from '../common/errors.js';
import type { PushTask } from '../contract/activities.js';
import type { Reference } from '../contract/brand.js';
import { isBlobUnknown } from '../registry/errors.js';
import type { RawManifest, Registry } from '../registry/types.js';
import type { EvidenceStore } from '../store/evidence.js';
import { assertNoCopy, extraTags } from './extra-tags.js';
import { readLedger, writeLedger } from './ledger.js';

export interface TagDependencies {
  target: Registry;
  evidence: EvidenceStore;
}

/**
 * Lets the tag name an image whose content was verified, and looks that it does. Builds pull by this tag, also while a run
 * is going: so it is the last thing that is put, and an image that fails on the way leaves the one before in place. The
 * template's extra tags come after it.
 *
 * @throws FactoryError `VerificationFailed` when the registry lacks content after all, or the tag holds something else;
 *   those of {@link extraTags} and {@link assertNoCopy}
 */
export async function putTag(
  task: PushTask,
  top: RawManifest,
  { target, evidence }: TagDependencies,
  signal: AbortSignal,
): Promise<void> {
  const extra = extraTags(task);
  for (const reference of extra) await assertNoCopy(reference, task.build, evidence, signal);
  await announce(task, evidence, signal);
  await putAndLook(task.target, top, target, signal);
  // Before the ledger says that all is done: one that can't be put is tried again by the next run.
  for (const reference of extra) {
    await assertNoCopy(reference, task.build, evidence, signal);
    await putAndLook(reference, top, target, signal);
  }
  const entry = { ...entryOf(task), verifiedAt: new Date().toISOString(), previous: null };
  await writeLedger(evidence, entry, signal);
}

async function putAndLook(
  reference: Reference,
  top: RawManifest,
  target: Registry,
  signal: AbortSignal,
): Promise<void> {
  const { digest } = top.descriptor;
  await target.putManifest(reference, top, signal).catch((error: unknown) => {
    if (!isBlobUnknown(error)) throw error;
    throw new FactoryError('VerificationFailed', `${reference} can't be tagged: its registry lost content`);
  });
  const held = await target.head(reference, signal);
  if (held?.digest !== digest) {
    throw new FactoryError(
      'VerificationFailed',
      `${reference} is not what was pushed: the tag holds ${held?.digest ?? 'nothing'} instead of ${digest}`,
    );
  }
}

const entryOf = ({ target, built, sourceDigest, build, runId }: PushTask) => ({
  target,
  digest: built.digest,
  sourceDigest,
  templateDigest: build.templateDigest,
  runId,
  built: built.platforms.some(({ how }) => how === 'built'),
  ...(built.skipped === undefined ? {} : { skipped: built.skipped }),
});

/** Remembers what the tag is about to hold, and that nobody has seen it there yet. */
async function announce(task: PushTask, evidence: EvidenceStore, signal: AbortSignal): Promise<void> {
  const before = await readLedger(evidence, task.target, signal);
  if (before?.digest === task.built.digest && before.verifiedAt === null) return;
  const previous = before === undefined ? null : before.verifiedAt === null ? before.previous : before.digest;
  await writeLedger(evidence, { ...entryOf(task), verifiedAt: null, previous }, signal);
}
