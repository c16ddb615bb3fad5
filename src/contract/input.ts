import { z } from 'zod';
import { INFRAS } from './run.js';
import { MAX_CONCURRENCY } from './steering.js';

const globs = z.array(z.string().min(1));

/**
 * The input of `imageFactory` and `planImages`: what the Temporal CLI's `--input`, our CLI's flags and a schedule give.
 * Everything is optional here because the worker's environment fills what is silent; `resolveRun` says what is missing.
 */
export const runInputSchema = z
  .strictObject({
    registry: z.string().min(1).describe('Target registry, `host[:port][/prefix]`.'),
    registryConnector: z
      .string()
      .min(1)
      .describe('Harness connector of the target, e.g. `account.harnessImage`.'),
    modifyDefault: z.boolean().describe('Set the account’s images to the verified copies.'),
    maxConcurrency: z.int().min(1).max(MAX_CONCURRENCY).describe('How many images are in work at once.'),
    harnessUrl: z
      .string()
      .min(1)
      .describe(
        'Harness’s address; a bare host, `/gateway` and `/gateway/api/graphql` all work. One that ends in `/graphql` is asked by GraphQL first.',
      ),
    harnessApiKeySecret: z
      .string()
      .min(1)
      .describe('Where the worker finds the API key: `env:NAME` or `file:/path`.'),
    gatherScanTemplate: z.string().min(1).describe('Template for gathering and scanning.'),
    buildPushTemplate: z.string().min(1).describe('Template for building and pushing.'),
    infra: z.array(z.enum(INFRAS)).min(1).describe('Which of the account’s image sets.'),
    include: globs.describe('Globs over field names and image repositories; only these are mirrored.'),
    exclude: globs.describe('Globs over field names and image repositories; these are not.'),
    platforms: z
      .array(z.string().min(1))
      .describe('Platforms to mirror, e.g. `linux/arm64`; all that the source has when absent.'),
    valueStyle: z.enum(['qualified', 'relative']).describe('How a field’s value is written.'),
    scan: z.boolean().describe('Scan before the push.'),
    dryRun: z.boolean().describe('Plan only; change nothing.'),
  })
  .partial();

export type RunInput = z.infer<typeof runInputSchema>;

/** Other spellings of input fields (the old pipeline's), each with the field it stands for. */
export const INPUT_ALIASES: Readonly<Record<string, keyof RunInput>> = {
  registry_connector: 'registryConnector',
  modify_default: 'modifyDefault',
  MAX_CONCURRENCY: 'maxConcurrency',
  HARNESS_URL: 'harnessUrl',
  HARNESS_API_KEY_SECRET: 'harnessApiKeySecret',
  GATHER_SCAN_TEMPLATE: 'gatherScanTemplate',
  BUILD_PUSH_TEMPLATE: 'buildPushTemplate',
};

/** Input of `restoreHarness`. */
export interface RestoreInput {
  /** The run whose snapshot is put back. */
  runId: string;
  infra: (typeof INFRAS)[number][];
  harnessUrl?: string;
  harnessApiKeySecret?: string;
}
