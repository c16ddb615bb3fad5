import { z } from 'zod';

// The parts of SARIF 2.1.0 (OASIS, sections 3.13 to 3.58) that the report uses; nothing else may be in it.
const text = z.strictObject({ text: z.string().min(1) });
const location = z.strictObject({
  logicalLocations: z
    .array(z.strictObject({ name: z.string(), fullyQualifiedName: z.string(), kind: z.string() }))
    .min(1),
});

export const sarifSchema = z.strictObject({
  $schema: z.url(),
  version: z.literal('2.1.0'),
  runs: z
    .array(
      z
        .strictObject({
          tool: z.strictObject({
            driver: z.strictObject({
              name: z.string(),
              rules: z.array(
                z.strictObject({ id: z.string(), shortDescription: text, helpUri: z.url().optional() }),
              ),
            }),
          }),
          automationDetails: z.strictObject({ id: z.string() }),
          invocations: z.array(
            z.strictObject({
              executionSuccessful: z.boolean(),
              startTimeUtc: z.iso.datetime(),
              endTimeUtc: z.iso.datetime(),
              toolExecutionNotifications: z
                .array(z.strictObject({ level: z.literal('warning'), message: text }))
                .optional(),
            }),
          ),
          results: z.array(
            z.strictObject({
              ruleId: z.string(),
              ruleIndex: z.int().min(0),
              level: z.enum(['none', 'note', 'warning', 'error']),
              message: text,
              locations: z.array(location).min(1),
              partialFingerprints: z.record(z.string(), z.string()),
              properties: z.record(z.string(), z.unknown()),
              suppressions: z
                .array(
                  z.strictObject({
                    kind: z.enum(['inSource', 'external']),
                    status: z.enum(['accepted', 'underReview', 'rejected']),
                    justification: z.string(),
                  }),
                )
                .optional(),
            }),
          ),
        })
        .refine(
          ({ tool, results }) =>
            results.every(({ ruleId, ruleIndex }) => tool.driver.rules[ruleIndex]?.id === ruleId),
          'every result names its rule',
        ),
    )
    .min(1),
});
