import { expect, it } from 'vitest';
import { inOrder } from '../../src/common/in-order.js';

it('gives what each came to, in their order', async () => {
  const late = new Promise<string>((resolve) => setImmediate(() => resolve('late')));
  expect(await inOrder([late, Promise.resolve('early')])).toEqual(['late', 'early']);
});

it('names the first in order, whichever failed first, and waits for all', async () => {
  const ended: string[] = [];
  const fails = async (name: string, turns: number): Promise<never> => {
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    ended.push(name);
    throw new Error(name);
  };
  await expect(inOrder([Promise.resolve(), fails('second', 3), fails('third', 1)])).rejects.toThrow('second');
  expect(ended).toEqual(['third', 'second']);
});
