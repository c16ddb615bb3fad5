import { ApplicationFailure } from '@temporalio/common';
import type { BuiltImage } from '../../src/contract/outcome.js';
import type { BuildPushConfig, GatherScanConfig, Hook, TemplateStep } from '../../src/contract/run.js';
import type { Verdict } from '../../src/contract/verdict.js';
import { digestOf } from '../../src/registry/digest.js';
import { ref } from '../support/images.js';
import { config as usual } from '../support/report-fixture.js';
import type { ScriptedOptions } from './scripted.js';

export const stepAt = (at: Hook, over: Partial<TemplateStep> = {}): TemplateStep => ({
  ...{ name: `s-${at}`, at, command: 'true', args: [], env: [], files: [] },
  ...{ timeoutSeconds: 5, onFailure: 'fail', attempts: 1, ...over },
});
export const gatherScan = (steps: TemplateStep[]): { gatherScan: GatherScanConfig } => ({
  gatherScan: { ...usual.gatherScan, steps },
});
export const building = (over: Partial<BuildPushConfig> = {}): { buildPush: BuildPushConfig } => ({
  buildPush: {
    ...usual.buildPush,
    engine: 'buildkit',
    buildkit: {
      dockerfile: { key: 'templates/d', digest: digestOf('d') },
      buildArgs: {},
      files: [],
      onUnbuildablePlatform: 'copy',
      network: 'default',
    },
    ...over,
  },
});

/** Ends an activity for good. */
export const broken = (message: string, type = 'StepFailed'): never => {
  throw ApplicationFailure.nonRetryable(message, type);
};

export const verdictOf = (decision: Verdict['decision'], rule: string = decision): Verdict => ({
  ...{ decision, rule, platforms: [], policyDigest: usual.gatherScan.policyDigest },
  scannedAt: '2026-01-01T00:00:00.000Z',
  database: { updatedAt: '2026-01-01T00:00:00.000Z', digest: null, javaDigest: null },
});

/** One image, which an engine builds on one platform of two. */
export function oneImage(activities: ScriptedOptions['activities'] = {}): ScriptedOptions['activities'] {
  const built = (image: string): BuiltImage => ({
    digest: digestOf(image),
    mediaType: '',
    platforms: [
      { platform: 'linux/amd64', source: digestOf('a'), target: digestOf('b'), how: 'built' },
      { platform: 'linux/arm64', source: digestOf('c'), target: digestOf('d'), how: 'labelled' },
    ],
  });
  return {
    planPage: async () => ({
      key: 'plan/0',
      items: [
        {
          ...{ state: 'create', image: 'made/a:1', fields: [], reason: 'is not in the registry' },
          ...{ source: ref('source.example/made/a:1'), sourceDigest: digestOf('a') },
          ...{ target: ref(`target.example/${Math.random()}/a:1`), targetDigest: null, drift: null },
          lastVerdict: null,
        },
      ],
    }),
    buildImage: async ({ image }) => built(image),
    pinDatabase: async () => verdictOf('pass').database,
    scanImage: async () => verdictOf('pass'),
    ...activities,
  };
}
