import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { workflowEnd } from '../../src/cli/exit.js';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { few, openFactory } from './factory.js';
import { attempts } from './history.js';

async function endOf(handle: { result(): Promise<unknown> }) {
  const error = await handle.result().then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowFailedError)) throw error;
  return workflowEnd(error);
}

describe('bad input', () => {
  it('fails the run at once, names every fault, and is not tried again', async () => {
    const factory = await openFactory({ images: few });
    const handle = await factory.start(WORKFLOW.imageFactory, {
      registry: 'Not A Registry',
      maxConcurrency: 0,
      modifyDefault: true,
      gatherScanTemplate: 'no-such-template',
      platfroms: ['linux/amd64'],
    });
    const end = await endOf(handle);
    expect(end.type).toBe('InvalidInput');
    for (const fault of [
      'registry',
      'maxConcurrency',
      'registryConnector',
      'no-such-template',
      'platfroms',
    ]) {
      expect(end.message).toContain(fault);
    }
    expect(attempts(await handle.fetchHistory()).get('resolveRun')).toBe(1);
    expect(factory.harness.requests).toEqual([]);
  });

  it('that carries a key is refused without an echo', async () => {
    const factory = await openFactory({ images: few });
    const key = 'pat.someAccount.someToken.5up3rS3cret';
    const end = await endOf(
      await factory.start(WORKFLOW.imageFactory, { ...factory.input, harnessApiKeySecret: key }),
    );
    expect(end.type).toBe('InvalidInput');
    expect(end.message).not.toContain('5up3rS3cret');
    expect(end.message).toContain('harnessApiKeySecret');
  });

  it('gets nothing of the worker’s secrets: another Harness, another registry, another secret', async () => {
    const factory = await openFactory({
      images: few,
      env: { ALLOWED_REGISTRIES: 'registry.example.com/ci' },
    });
    const end = await endOf(
      await factory.start(WORKFLOW.imageFactory, {
        registry: factory.target.host,
        harnessUrl: 'https://evil.example.com',
        harnessApiKeySecret: 'env:PATH',
      }),
    );
    expect(end.type).toBe('NotAllowed');
    for (const part of ['ALLOWED_REGISTRIES', 'ALLOWED_HARNESS_HOSTS', 'ALLOWED_SECRETS']) {
      expect(end.message).toContain(part);
    }
    expect(factory.harness.requests).toEqual([]);
  });

  it('in the old pipeline’s spelling is understood', async () => {
    const factory = await openFactory({ images: few });
    const plan = await factory.start(WORKFLOW.planImages, {
      registry: factory.input.registry,
      MAX_CONCURRENCY: '2',
      modify_default: 'false',
      GATHER_SCAN_TEMPLATE: 'blocking',
    });
    await expect(plan.result()).resolves.toMatchObject({ kind: 'plan', counts: { create: 2 } });
  });
});

describe('what one image meets', () => {
  it('stops no other: an image that the source lacks is unresolved, the rest is mirrored, the run ends Failed', async () => {
    const factory = await openFactory({ images: few });
    factory.harness.state.defaults.K8.cacheGCSTag = 'plugins/cache:0.0.0';
    const end = await endOf(await factory.start(WORKFLOW.imageFactory));
    expect(end.type).toBe('ImagesFailed');
    expect((end.details as RunResult).counts).toMatchObject({ mirrored: 2, unresolved: 1 }); // imageFactory's own detail
    expect(factory.harness.state.overrides.K8).not.toHaveProperty('cacheGCSTag');
  });

  it('is the account’s fault where a connector is for another registry: nothing is set, both paths are named', async () => {
    const factory = await openFactory({ images: few });
    factory.harness.state.connectors.set('harnessImage', {
      identifier: 'harnessImage',
      dockerRegistryUrl: 'https://registry.example.com/other',
    });
    const end = await endOf(await factory.start(WORKFLOW.imageFactory));
    expect(end.type).toBe('HarnessNotUpdated');
    expect(end.message).toContain('registry.example.com/other');
    expect(factory.harness.state.overrides.K8).toEqual({});
  });
});
