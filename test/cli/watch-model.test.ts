import { describe, expect, it } from 'vitest';
import type { ImageLook, Look } from '../../src/cli/watch/looks.js';
import { WatchModel } from '../../src/cli/watch/model.js';
import type { Reference } from '../../src/contract/brand.js';
import type { RunProgress } from '../../src/contract/progress.js';

const START = 1_000_000;

const run = (differs: Partial<RunProgress> = {}): RunProgress => ({
  version: 1,
  phase: 'mirror',
  runId: 'run',
  images: 3,
  paused: false,
  maxConcurrency: 5,
  counts: {},
  // No more than a label here; a reference is a branded string.
  running: [{ image: 'a:1', target: 'r.example/a:1' as Reference, workflowId: 'mirror-image/a' }],
  finished: [],
  ...differs,
});

const image = (differs: Partial<ImageLook> = {}): ImageLook => ({
  image: 'a:1',
  workflowId: 'mirror-image/a',
  step: 'push',
  attempt: 1,
  beat: '',
  said: null,
  retries: [],
  ...differs,
});

const look = (differs: Partial<Look> = {}): Look => ({
  startedAt: START,
  endedAt: null,
  run: run(),
  images: [],
  retries: [],
  ...differs,
});

/** A model that looks at an image's push: at each second, so many of 100 MB. */
function pushed(...megabytes: number[]) {
  const model = new WatchModel('run');
  for (const [second, at] of megabytes.entries()) {
    const said = { phase: 'push', bytes: at * 1e6, total: 100e6 };
    model.add(look({ images: [image({ said, beat: String(second) })] }), START + second * 1000);
  }
  return model.frame(START + megabytes.length * 1000);
}

describe('a model of successive looks', () => {
  it('knows no rate from one look, and from two the rate and the time left', () => {
    expect(pushed(10).working[0]?.transfer).toEqual({ bytes: 10e6, total: 100e6, rate: null, leftMs: null });
    expect(pushed(10, 20).working[0]?.transfer).toEqual({
      bytes: 20e6,
      total: 100e6,
      rate: 10e6,
      leftMs: 8_000,
    });
  });

  it('forgets how fast it was some seconds ago', () => {
    expect(pushed(0, 50, 51, 52, 53, 54, 55, 56, 57).transfer?.rate).toBe(1e6);
    expect(pushed(0, 50, 50, 50, 50, 50, 50, 50, 50).transfer).toMatchObject({ rate: 0, leftMs: null });
  });

  it('tells no speed of what is sent whole and waits for the other side', () => {
    expect(pushed(10, 100).transfer).toEqual({ bytes: 100e6, total: 100e6, rate: null, leftMs: null });
  });

  it('begins again when a retry, another step or another blob does', () => {
    expect(pushed(10, 20, 5).working[0]?.transfer).toMatchObject({ bytes: 5e6, rate: null });
  });

  it('takes no look as news that brought no heartbeat', () => {
    const model = new WatchModel('run');
    const at = (ms: number, bytes: number, beat: string) =>
      model.add(
        look({ images: [image({ beat, said: { phase: 'push', bytes, total: 100e6 } })] }),
        START + ms,
      );
    at(0, 0, '1');
    at(2000, 20e6, '2');
    at(2700, 20e6, '2');
    at(3400, 20e6, '2');
    expect(model.frame(START + 3400).transfer?.rate).toBe(10e6);
  });

  it('shows an image without heartbeat details, and keeps its step between two', () => {
    const model = new WatchModel('run');
    model.add(look(), START);
    expect(model.frame(START).working).toEqual([{ image: 'a:1', step: null, doing: '', transfer: null }]);
    model.add(look({ images: [image({ step: 'scan', said: { phase: 'database' } })] }), START);
    expect(model.frame(START).working).toMatchObject([{ step: 'scan', doing: 'database', transfer: null }]);
    model.add(look({ images: [image({ step: null })] }), START);
    expect(model.frame(START).working).toMatchObject([{ step: 'scan', doing: '' }]);
  });

  it('puts first what needs a person, then the newest end', () => {
    const finished = (['mirrored', 'blocked', 'unchanged', 'failed'] as const).map((kind, n) => ({
      image: `${n}`,
      kind,
      note: '',
      steps: [],
    }));
    const model = new WatchModel('run');
    model.add(look({ run: run({ finished, counts: { mirrored: 1, blocked: 2 } }) }), START);
    const { attention, finished: rest, done } = model.frame(START);
    expect(attention.map(({ image }) => image)).toEqual(['3', '1']);
    expect(rest.map(({ image }) => image)).toEqual(['2', '0']);
    expect(done).toBe(3);
  });

  it('says each reason for a retry once, with the newest attempt', () => {
    const model = new WatchModel('run');
    for (const attempt of [2, 3]) {
      const retries = [{ activity: 'pushImage', attempt, message: 'the host is down' }];
      model.add(look({ images: [image({ retries })] }), START);
    }
    expect(model.frame(START).warnings).toEqual([
      { image: 'a:1', activity: 'pushImage', attempt: 3, message: 'the host is down' },
    ]);
  });

  it('keeps what it knows while no worker answers, and says so', () => {
    const model = new WatchModel('run');
    model.add(look(), START);
    model.add(look({ run: undefined }), START);
    expect(model.frame(START)).toMatchObject({
      images: 3,
      phase: 'mirror',
      notice: expect.stringMatching(/./),
    });
  });

  it('stops the clock and has nothing in work when the run has ended', () => {
    const model = new WatchModel('run');
    model.add(look({ endedAt: START + 5_000 }), START + 60_000);
    expect(model.frame(START + 90_000)).toMatchObject({ elapsedMs: 5_000, working: [], notice: '' });
  });
});
