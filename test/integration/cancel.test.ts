import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { few, openFactory } from './factory.js';
import { asked, childrenOf, record } from './history.js';
import { holdUploads } from './slow-registry.js';

describe('cancelling a run', () => {
  it('ends its children and still writes the report', async () => {
    const factory = await openFactory({ images: few });
    const held = await holdUploads(factory.target.host);
    const input = { ...factory.input, registry: `${held.host}/ci`, scan: false };
    const handle = await factory.start(WORKFLOW.imageFactory, input);
    await held.firstUpload;
    await handle.cancel();
    const error = await handle.result().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure); // checked the line above
    await record('image-factory.cancelled', handle);
    const { firstExecutionRunId: runId } = handle;
    const report = await factory.evidence.get(`runs/${runId}/report.json`);
    expect(JSON.parse(String(report)).run.end.kind).toBe('cancelled');
    const child = factory.temporal.client.workflow.getHandle(
      `mirror-image/${held.host}/ci/harness/ci-addon:1.16.92`,
    );
    expect((await child.describe()).status.name).toBe('CANCELLED');
    expect(factory.harness.state.overrides.K8).toEqual({});
  });
});

describe('two runs at the same time', () => {
  it('do not fight: the second one skips what the first one has', async () => {
    const factory = await openFactory({ images: few });
    const held = await holdUploads(factory.target.host);
    const input = { ...factory.input, registry: `${held.host}/ci`, scan: false, modifyDefault: false };
    const first = await factory.start(WORKFLOW.imageFactory, input);
    await held.firstUpload;
    const second = await (await factory.start(WORKFLOW.imageFactory, input)).result();
    expect(second.counts).toMatchObject({ skipped: 2, mirrored: 0 });
    held.release();
    expect((await first.result()).counts).toMatchObject({ mirrored: 2 });
  });
});

describe('a new run after one that was terminated', () => {
  it('waits for the children that are still going away, and goes on from what the registry holds', async () => {
    const factory = await openFactory({ images: few });
    const held = await holdUploads(factory.target.host);
    const input = { ...factory.input, registry: `${held.host}/ci`, scan: false, modifyDefault: false };
    const first = await factory.start(WORKFLOW.imageFactory, input);
    await held.firstUpload;
    const children = await childrenOf(first);
    expect(children).not.toEqual([]);
    await first.terminate('an operator pulled the plug');
    const second = await factory.start(WORKFLOW.imageFactory, input);
    const { client } = factory.temporal;
    await Promise.all(
      children.map(({ workflowId, runId }) => asked(client.workflow.getHandle(workflowId, runId))),
    );
    held.release();
    const result: RunResult = await second.result();
    expect(result.counts).toMatchObject({ mirrored: 2, skipped: 0 });
  });
});
