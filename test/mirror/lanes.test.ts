import { describe, expect, it } from 'vitest';
import { Lanes } from '../../src/common/lanes.js';

const never = new AbortController().signal;

/** Work that ends when it is told, and notes when it began. */
function worksheet() {
  const began: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    began.push(name);
    return new Promise<void>((resolve) => ends.set(name, resolve));
  };
  const end = async (name: string): Promise<void> => {
    await new Promise(setImmediate); // who waits is told by promises: all of those have run by then
    ends.get(name)?.();
  };
  return { began, work, end };
}

describe('lanes', () => {
  it('are given to what joined first, also when it asks last', async () => {
    const lanes = new Lanes(1);
    const [first, second] = [lanes.join(), lanes.join()];
    const { began, work, end } = worksheet();
    const all = [first(never, work('a1')), second(never, work('b1')), second(never, work('b2'))];
    all.push(first(never, work('a2')), first(never, work('a3')));
    for (const name of ['a1', 'a2', 'a3', 'b1', 'b2']) await end(name);
    await Promise.all(all);
    expect(began).toEqual(['a1', 'a2', 'a3', 'b1', 'b2']);
  });

  it('are not held by what gave up while it waited, or failed', async () => {
    const lanes = new Lanes(1);
    const turn = lanes.join();
    const { began, work, end } = worksheet();
    const stop = new AbortController();
    const running = turn(never, work('one'));
    const waiting = turn(stop.signal, work('never begun'));
    const failing = turn(never, async () => {
      throw new Error('broken');
    });
    const failed = expect(failing).rejects.toThrow('broken');
    const last = turn(never, work('last'));
    stop.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
    await end('one');
    await running;
    await failed;
    await end('last');
    await last;
    expect(began).toEqual(['one', 'last']);
  });

  it('are as many as there are', async () => {
    const lanes = new Lanes(2);
    const turn = lanes.join();
    const { began, work, end } = worksheet();
    const all = ['a', 'b', 'c'].map((name) => turn(never, work(name)));
    await new Promise(setImmediate);
    expect(began).toEqual(['a', 'b']);
    for (const name of ['b', 'c', 'a']) await end(name);
    await Promise.all(all);
  });
});
