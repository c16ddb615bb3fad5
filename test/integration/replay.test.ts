import { readdir, readFile } from 'node:fs/promises';
import { Worker } from '@temporalio/worker';
import { expect, inject, it } from 'vitest';
import { quietRuntime } from '../support/temporal.js';

quietRuntime();
const HISTORIES = new URL('../histories/', import.meta.url);
const names = (await readdir(HISTORIES)).filter((name) => name.endsWith('.json'));

it('has histories of every workflow type to replay', () => {
  const types = new Set(names.map((name) => name.split('.')[0]));
  expect([...types].sort()).toEqual([
    'image-factory',
    'mirror-image',
    'plan-images',
    'restore-harness',
    'update-harness',
  ]);
});

// Runs that an earlier commit began must go on under this one: a change that breaks one of these needs a patch marker.
it.each(names)('replays %s, made by an earlier commit, to the same commands', async (name) => {
  const history = JSON.parse(await readFile(new URL(name, HISTORIES), 'utf8'));
  await Worker.runReplayHistory({ workflowBundle: { codePath: inject('workflowBundle') } }, history, name);
});
