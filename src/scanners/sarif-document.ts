import { z } from 'zod';
import { FactoryError } from '../common/errors.js';

/** Grype's SARIF of an image with 5,000 findings has 20 MB, most of it help texts. */
export const MAX_SARIF_BYTES = 64 << 20;
/** Ten times what the worst image of a real fleet has; what is cut off could be what matters, so more is a failure. */
export const MAX_SARIF_RESULTS = 50_000;

// A tolerant view of SARIF 2.1.0: scanners leave out and bend what they do not need, and only what decides must be there.
const text = z.string().optional().catch(undefined);
const index = z.int().optional().catch(undefined);
const message = z.object({ text, markdown: text }).optional().catch(undefined);
const properties = z.record(z.string(), z.unknown()).optional().catch(undefined);

const rule = z.object({
  id: z.string(),
  shortDescription: message,
  fullDescription: message,
  help: message,
  helpUri: text,
  defaultConfiguration: z.object({ level: text }).optional().catch(undefined),
  deprecatedIds: z.array(z.string()).optional().catch(undefined),
  properties,
});

const component = z.object({ rules: z.array(rule).max(MAX_SARIF_RESULTS).nullish() });

const location = z.object({
  physicalLocation: z
    .object({ artifactLocation: z.object({ uri: text }).optional().catch(undefined) })
    .optional()
    .catch(undefined),
  logicalLocations: z
    .array(z.object({ fullyQualifiedName: text }))
    .optional()
    .catch(undefined),
});

const result = z.object({
  ruleId: text,
  ruleIndex: index,
  rule: z.object({ id: text, index }).optional().catch(undefined),
  kind: text,
  level: text,
  baselineState: text,
  message,
  locations: z.array(location).optional().catch(undefined),
  fixes: z
    .array(z.object({ description: message }))
    .optional()
    .catch(undefined),
  properties,
});

const documentSchema = z.object({
  version: z.literal('2.1.0'),
  runs: z
    .array(
      z.object({
        tool: z.object({ driver: component, extensions: z.array(component).optional().catch(undefined) }),
        invocations: z
          .array(z.object({ executionSuccessful: z.boolean().optional().catch(undefined) }))
          .optional()
          .catch(undefined),
        results: z.array(result).max(MAX_SARIF_RESULTS),
      }),
    )
    .min(1)
    .max(100),
});

export type SarifRule = z.infer<typeof rule>;
export type SarifResult = z.infer<typeof result>;

/** A result that says that something is there, and what its tool says of such results. */
export interface SarifEntry {
  ruleId: string;
  result: SarifResult;
  rule: SarifRule | undefined;
}

/** Kinds of results that say that all is well (SARIF 2.1.0, 3.27.9). */
const NOT_FOUND = new Set(['pass', 'notApplicable', 'informational']);

/**
 * Reads what a scanner wrote. Results that it suppressed by a setting of its own count: exceptions are the policy's, where
 * each has an owner and an end.
 *
 * @param scanner its name, for the message.
 * @throws FactoryError `ScannerFailed` when it is no whole SARIF 2.1.0, says itself that the scan failed, or is too large.
 */
export function readSarif(bytes: Buffer, scanner: string): SarifEntry[] {
  const fail = (why: string): never => {
    throw new FactoryError(
      'ScannerFailed',
      `What the scanner ${scanner} wrote can't be used: it ${why}; run its command by hand to see what it writes.`,
    );
  };
  if (bytes.length > MAX_SARIF_BYTES)
    return fail(`has ${bytes.length} bytes, and at most ${MAX_SARIF_BYTES} are read`);
  const parsed = documentSchema.safeParse(jsonOf(bytes) ?? fail('is not JSON'));
  if (!parsed.success) {
    const { path, code } = parsed.error.issues[0] ?? { path: [], code: 'custom' };
    const where = path.slice(0, 8).join('.') || 'document';
    return fail(
      code === 'too_big' ? `has too many ${where}` : `is not SARIF 2.1.0 with results (see its ${where})`,
    );
  }
  const entries = parsed.data.runs.flatMap(({ tool, invocations = [], results }) => {
    if (invocations.some(({ executionSuccessful }) => executionSuccessful === false))
      return fail('says that its scan was not successful');
    const rules = tool.driver.rules ?? [];
    const byId = new Map([tool.driver, ...(tool.extensions ?? [])].flatMap(idsIn));
    return results
      .filter(({ kind = 'fail', baselineState }) => !NOT_FOUND.has(kind) && baselineState !== 'absent')
      .map((one): SarifEntry => {
        const at = rules[one.ruleIndex ?? one.rule?.index ?? -1];
        const ruleId = one.ruleId ?? one.rule?.id ?? at?.id ?? fail('has a result without a rule');
        // By its id before its index, which some scanners leave at 0.
        return { ruleId, result: one, rule: byId.get(ruleId) ?? at };
      });
  });
  if (entries.length > MAX_SARIF_RESULTS)
    return fail(`has ${entries.length} results, and at most ${MAX_SARIF_RESULTS} are read`);
  return entries;
}

const idsIn = ({ rules }: z.infer<typeof component>): [string, SarifRule][] =>
  (rules ?? []).map((one) => [one.id, one]);

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, ''));
  } catch {
    return undefined;
  }
}
