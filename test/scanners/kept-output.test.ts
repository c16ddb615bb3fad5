import { describe, expect, it } from 'vitest';
import { FactoryError } from '../../src/common/errors.js';
import { digestOf } from '../../src/registry/digest.js';
import { keepOutput, keptOutput } from '../../src/scanners/kept-output.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';

const KEY = 'scans/0/mine/1.sarif';
const { signal } = new AbortController();

function read(bytes: Buffer): number {
  const value = Number(bytes.toString());
  if (Number.isNaN(value)) throw new FactoryError('ScannerFailed', 'it is no number');
  return value;
}

async function open() {
  const evidence = new FolderEvidenceStore(await temporaryDirectory());
  const keep = (text: string) => keepOutput(evidence, KEY, Buffer.from(text), read, signal);
  return { evidence, keep };
}

describe('what a scanner wrote', () => {
  it('stays when another one writes under its name, and that one goes by it too', async () => {
    const { evidence, keep } = await open();
    const first = await keep('1');
    expect(first).toEqual({ evidence: { key: KEY, digest: digestOf('1') }, read: 1 });
    expect(await keep('2')).toEqual(first);
    expect(await keep('1')).toEqual(first);
    expect(String(await evidence.get(KEY))).toBe('1');
    expect(await keptOutput(evidence, KEY, read, signal)).toEqual(first);
  });

  it('is the same for all that write at once', async () => {
    const { evidence, keep } = await open();
    const kept = await Promise.all(['1', '2', '3', '4'].map(keep));
    const held = (await evidence.get(KEY)) ?? Buffer.alloc(0);
    for (const one of kept)
      expect(one).toEqual({ evidence: { key: KEY, digest: digestOf(held) }, read: Number(held.toString()) });
  });

  it('is replaced where it can’t be read, and counts as absent until then', async () => {
    const { evidence, keep } = await open();
    await evidence.put(KEY, 'damaged');
    expect(await keptOutput(evidence, KEY, read, signal)).toBeUndefined();
    expect(await keep('2')).toEqual({ evidence: { key: KEY, digest: digestOf('2') }, read: 2 });
    expect(String(await evidence.get(KEY))).toBe('2');
  });

  it('is not kept where it can’t be read itself', async () => {
    const { evidence, keep } = await open();
    await expect(keep('nonsense')).rejects.toMatchObject({ type: 'ScannerFailed' });
    expect(await evidence.get(KEY)).toBeUndefined();
  });
});
