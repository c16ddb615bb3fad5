import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import { INFRAS, type Infra } from '../contract/run.js';
import type { EvidenceStore } from '../store/evidence.js';
import { parseJson } from './errors.js';

const head = {
  version: z.literal(1),
  runId: z.string(),
  account: z.string(),
  infra: z.enum(INFRAS),
};

/** The account's fields of one infra before a run touched them. `defaults` is for the reader, never put back. */
export const snapshotSchema = z.object({
  ...head,
  takenAt: z.iso.datetime(),
  overrides: z.record(z.string(), z.string()),
  defaults: z.record(z.string(), z.string()),
});

/** What a run set, written before it was sent: `before` null is a field that had no override. */
export const appliedSchema = z.object({
  ...head,
  fields: z.array(
    z.object({
      field: z.string(),
      value: z.string(),
      before: z.string().nullable(),
      /** Whether `before` was a version that followed Harness's default. */
      followed: z.boolean().default(false),
    }),
  ),
});

/**
 * What the latest run set each field to because Harness ships that version. It outlives the run: by the value alone, a
 * version of an earlier default and one that someone pinned look the same. Two values while an update is on its way.
 */
export const followedSchema = z.object({
  version: z.literal(1),
  account: z.string(),
  infra: z.enum(INFRAS),
  fields: z.record(z.string(), z.array(z.string())),
});

export type Snapshot = z.infer<typeof snapshotSchema>;
export type Applied = z.infer<typeof appliedSchema>;
type FollowedRecord = z.infer<typeof followedSchema>;
type AnyRecord = Snapshot | Applied | FollowedRecord;

export const snapshotKey = (runId: string, infra: Infra): string =>
  `runs/${runId}/account-${infra}-before.json`;
export const appliedKey = (runId: string, infra: Infra): string =>
  `runs/${runId}/account-${infra}-applied.json`;
export const followedKey = (account: string, infra: Infra): string =>
  `accounts/${account}/${infra}-followed.json`;

/** Human-readable, since an operator may have to put things back by hand. */
export const toJson = (record: AnyRecord): string => `${JSON.stringify(record, null, 2)}\n`;

/**
 * Reads a record of this account and infra.
 *
 * @returns undefined when there is none under the key.
 * @throws FactoryError `SnapshotMissing` when what is there is damaged or belongs to another account or infra.
 */
export async function readRecord<T extends AnyRecord>(
  evidence: EvidenceStore,
  key: string,
  schema: z.ZodType<T>,
  owner: { account: string; infra: Infra },
  signal?: AbortSignal,
): Promise<T | undefined> {
  const bytes = await evidence.get(key, signal);
  if (bytes === undefined) return undefined;
  const record = schema.safeParse(parseJson(bytes.toString('utf8'))).data;
  const where = evidence.locate(key);
  if (record === undefined) {
    throw new FactoryError(
      'SnapshotMissing',
      `The record ${where} is damaged; the account's fields were left alone.`,
    );
  }
  if (record.account !== owner.account || record.infra !== owner.infra) {
    throw new FactoryError(
      'SnapshotMissing',
      `The record ${where} is of account ${record.account} and ${record.infra}, not of ${owner.account} and ${owner.infra}; check the run id and the API key.`,
    );
  }
  return record;
}
