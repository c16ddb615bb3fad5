import type { Infra } from '../contract/run.js';
import type { EvidenceStore } from '../store/evidence.js';
import { followedKey, followedSchema, readRecord, toJson } from './account-records.js';
import { belowRegistry } from './image-location.js';
import type { FieldMap } from './schemas.js';

/**
 * Field → the values that an earlier run gave it because Harness shipped that version. An override that is among them
 * goes with the next default; any other is a person's pin, and stays.
 */
export type Followed = ReadonlyMap<string, readonly string[]>;

/** Whose record it is. */
export interface FollowedOwner {
  account: string;
  infra: Infra;
}

/**
 * Reads what earlier runs set.
 *
 * @returns undefined when none left a record; {@link assumeFollowed} says what then counts.
 * @throws FactoryError `SnapshotMissing` when the record is damaged; `EvidenceUnavailable`.
 */
export async function readFollowed(
  evidence: EvidenceStore,
  owner: FollowedOwner,
  signal?: AbortSignal,
): Promise<Followed | undefined> {
  const key = followedKey(owner.account, owner.infra);
  const record = await readRecord(evidence, key, followedSchema, owner, signal);
  return record && new Map(Object.entries(record.fields));
}

/** Without a record, what points into our registry is taken for an earlier run's: releases must not stand still. */
export const assumeFollowed = (overrides: FieldMap, registry: string): Followed =>
  new Map(
    Object.entries(overrides)
      .filter(([, value]) => belowRegistry(value, registry) !== undefined)
      .map(([field, value]) => [field, [value]]),
  );

export async function writeFollowed(
  evidence: EvidenceStore,
  { account, infra }: FollowedOwner,
  followed: Followed,
  signal?: AbortSignal,
): Promise<void> {
  const fields = Object.fromEntries(
    [...followed].filter(([, values]) => values.length > 0).map(([field, values]) => [field, [...values]]),
  );
  await evidence.put(followedKey(account, infra), toJson({ version: 1, account, infra, fields }), signal);
}
