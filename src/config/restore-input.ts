import { z } from 'zod';
import { type RestoreInput, runInputSchema } from '../contract/input.js';
import type { HarnessTarget, Infra } from '../contract/run.js';
import { createAllowLists } from './allow-lists.js';
import type { WorkerEnvironment } from './environment.js';
import { type Fault, refusal } from './faults.js';
import { harnessDefaults, harnessOf } from './harness-target.js';
import { type PartialInput, readInput } from './input.js';
import { INPUT_DEFAULTS } from './input-fields.js';
import { looksLikeKey } from './looks-like-key.js';

/** Temporal's run ids are UUIDs. */
const RUN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const RUN_ID_FAULT = 'must be the id of a run, as its report has it';

/** The input of `restoreHarness`; its last three fields mean what they mean in a run's input. */
export const restoreInputSchema = z.strictObject({
  runId: z
    .string(RUN_ID_FAULT)
    .max(100, RUN_ID_FAULT)
    .refine((text) => text.length > 100 || !looksLikeKey(text), {
      error: 'looks like a key itself: name the run, and revoke the key if this was shared',
      abort: true,
    })
    .regex(RUN_ID, RUN_ID_FAULT)
    .describe('The run whose changes to the account are undone.'),
  infra: runInputSchema.shape.infra.unwrap().default([...INPUT_DEFAULTS.infra]),
  harnessUrl: runInputSchema.shape.harnessUrl,
  harnessApiKeySecret: runInputSchema.shape.harnessApiKeySecret,
});

export type RestoreReading = { ok: true; input: RestoreInput } | { ok: false; faults: string[] };

function readRestore(
  raw: unknown,
  defaults: WorkerEnvironment['inputDefaults'] = {},
): { reading: RestoreReading; partial: PartialInput } {
  const isObject = typeof raw === 'object' && raw !== null && !Array.isArray(raw);
  const { runId, ...rest }: { runId?: unknown } = isObject ? raw : {};
  // Keys, types and spellings are read as in a run's input.
  const partial = readInput(isObject ? rest : raw, defaults);
  // A workflow that was started without input gets undefined: that is an empty input, and anything else is none.
  if (raw !== undefined && !isObject) return { reading: { ok: false, faults: partial.faults }, partial };
  const read = restoreInputSchema.safeParse({ runId, ...partial.input });
  const faults = [...partial.faults, ...(read.success ? [] : read.error.issues.flatMap(textsOf))];
  const reading: RestoreReading =
    read.success && faults.length === 0
      ? { ok: true, input: read.data }
      : { ok: false, faults: [...new Set(faults)] };
  return { reading, partial };
}

/** Faults in words; nothing here echoes a value, and unknown names have passed the reading of a run's fields. */
function textsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(
      (name) => `${name} is a field of a run and says nothing to a restore: leave it out`,
    );
  return [`${issue.path.map(String).join('.')} ${issue.message}`];
}

/**
 * Checks the shape of what `restoreHarness` was started with, with no environment. `infra` is `['K8']` when absent.
 *
 * @returns every fault at once; none echoes a value.
 */
export const parseRestoreInput = (raw: unknown): RestoreReading => readRestore(raw).reading;

/**
 * What a restore does, and to which account: input + the worker's environment.
 *
 * @throws FactoryError `InvalidInput` that names every fault; `NotAllowed` when all that is wrong is what the worker does
 *   not allow.
 */
export async function resolveRestore(
  raw: unknown,
  environment: WorkerEnvironment,
): Promise<{ runId: string; infra: Infra[]; harness: HarnessTarget }> {
  const { reading, partial } = readRestore(raw, harnessDefaults(environment));
  const faults: Fault[] = (reading.ok ? [] : reading.faults).map((text) => ({ kind: 'InvalidInput', text }));
  const harness = await harnessOf(partial, environment, createAllowLists(environment), faults);
  if (!reading.ok || faults.length > 0) throw refusal(faults);
  return { runId: reading.input.runId, infra: [...new Set(reading.input.infra)], harness };
}
