import { z } from 'zod';

/** Field → `repository:tag`, as an account's configuration has it. The set of fields grows: an open map. */
export type FieldMap = Readonly<Record<string, string>>;

/**
 * The envelope of an answer: `{status, data, metaData, correlationId}`. Only what we act on is asked for, since most
 * answers were never seen on the wire.
 */
export const envelopeSchema = z.object({ status: z.string().optional(), data: z.unknown().optional() });

/** A field without a value is one that is not set. */
export const fieldMapSchema = z.record(z.string(), z.string().nullable()).transform((map): FieldMap => {
  const set = Object.entries(map).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return Object.fromEntries(set);
});

/** An account without overrides is documented as `{}`; null is taken for the same. */
export const overridesSchema = z.union([z.null().transform((): FieldMap => ({})), fieldMapSchema]);

const pairsSchema = z
  .array(z.object({ field: z.string(), value: z.string().nullable() }))
  .transform((pairs) => Object.fromEntries(pairs.map(({ field, value }) => [field, value])))
  .pipe(fieldMapSchema);

/** What GraphQL's `ciExecutionImages` gives: per infra the maps that REST has a call for each. */
export const graphqlImagesSchema = z
  .object({
    ciExecutionImages: z.array(
      z.object({ infra: z.string(), defaults: pairsSchema, overrides: pairsSchema }),
    ),
  })
  .transform(({ ciExecutionImages }) => ciExecutionImages);

export const acceptedSchema = z.literal(true);

export const connectorSchema = z
  .object({
    connector: z.object({
      identifier: z.string(),
      name: z.string().optional(),
      type: z.string(),
      spec: z.object({ dockerRegistryUrl: z.string().nullish() }).nullish(),
    }),
  })
  .transform(({ connector }) => ({
    identifier: connector.identifier,
    type: connector.type,
    url: connector.spec?.dockerRegistryUrl ?? null,
  }));

/** A connector of the account: `type` as Harness names it, `url` only for a Docker registry. */
export type Connector = z.infer<typeof connectorSchema>;

/** The verdict of a connector test is this inner status, not the envelope's. */
export const connectorTestSchema = z.object({
  status: z.string(),
  errorSummary: z.string().nullish(),
  errors: z.array(z.object({ message: z.string().nullish() })).nullish(),
});

/** Both shapes of an error: Harness's own, and the plain `{code, message}` of its framework. */
export const errorSchema = z.object({
  code: z.union([z.string(), z.number()]).nullish(),
  message: z.string().nullish(),
  failedPermissionChecks: z
    .array(z.object({ permission: z.string().nullish(), resourceType: z.string().nullish() }))
    .nullish(),
});

export type HarnessErrorBody = z.infer<typeof errorSchema>;
