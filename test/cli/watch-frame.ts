import type { Frame, Transfer } from '../../src/cli/watch/frame.js';

export const transfer = (bytes: number, total: number, rate: number | null = null): Transfer => ({
  bytes,
  total,
  rate,
  leftMs: rate ? ((total - bytes) / rate) * 1000 : null,
});

/** A picture of a run of two images with nothing in it yet, and what differs. */
export const frame = (differs: Partial<Frame> = {}): Frame => ({
  workflowId: 'nightly',
  phase: 'mirror',
  paused: false,
  done: 0,
  images: 2,
  elapsedMs: 130_000,
  counts: {},
  notice: '',
  transfer: null,
  working: [],
  attention: [],
  warnings: [],
  finished: [],
  ...differs,
});
