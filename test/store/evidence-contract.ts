import { expect, it } from 'vitest';
import { digestOf } from '../../src/registry/digest.js';
import type { EvidenceStore } from '../../src/store/evidence.js';

/** What every evidence store keeps to. @param fresh opens an empty one for the running test */
export function evidenceContract(fresh: () => Promise<EvidenceStore>): void {
  it('gives back what was put', async () => {
    const store = await fresh();
    expect(await store.get('runs/1/report.json')).toBeUndefined();
    expect(await store.put('runs/1/report.json', '{}')).toEqual({
      key: 'runs/1/report.json',
      digest: digestOf('{}'),
    });
    await store.put('runs/1/report.json', Buffer.from('[]'));
    expect((await store.get('runs/1/report.json'))?.toString()).toBe('[]');
    await store.put('runs/1/empty', '');
    expect(await store.get('runs/1/empty')).toEqual(Buffer.alloc(0));
  });

  it('lists keys by prefix, sorted', async () => {
    const store = await fresh();
    expect(await store.list('runs/')).toEqual([]);
    for (const key of ['runs/2/b', 'runs/10/a', 'runs/2/a/c', 'other']) await store.put(key, key);
    expect(await store.list('runs/')).toEqual(['runs/10/a', 'runs/2/a/c', 'runs/2/b']);
    expect(await store.list('runs/2/')).toEqual(['runs/2/a/c', 'runs/2/b']);
    expect(await store.list('ru')).toEqual(['runs/10/a', 'runs/2/a/c', 'runs/2/b']);
    expect(await store.list('')).toEqual(['other', 'runs/10/a', 'runs/2/a/c', 'runs/2/b']);
    expect(await store.list('none/')).toEqual([]);
  });

  it.each(['', '/a', 'a/', 'a//b', '..', 'a/../b', '.hidden', 'a b', 'a\\b', 'é', 'a\n', 'x'.repeat(201)])(
    'refuses the key %j',
    async (key) => {
      const store = await fresh();
      await expect(store.put(key, '')).rejects.toMatchObject({ type: 'InvalidInput' });
      await expect(store.putOnce(key, '')).rejects.toMatchObject({ type: 'InvalidInput' });
      await expect(store.get(key)).rejects.toMatchObject({ type: 'InvalidInput' });
    },
  );

  it('refuses to list outside itself', async () => {
    await expect((await fresh()).list('../')).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  it('keeps the first of many that write once, and tells all of them what it holds', async () => {
    const store = await fresh();
    const texts = Array.from({ length: 20 }, (_, index) => `snapshot ${index}`);
    const refs = await Promise.all(texts.map((text) => store.putOnce('snapshots/K8', text)));
    const held = await store.get('snapshots/K8');
    expect(new Set(refs.map((ref) => ref.digest))).toEqual(new Set([digestOf(held ?? '')]));
    expect(await store.putOnce('snapshots/K8', 'late')).toEqual(refs[0]);
    expect(await store.list('')).toEqual(['snapshots/K8']);
  });

  it('shows a reader the old bytes or the new ones, never a part', async () => {
    const store = await fresh();
    const [old, young] = [Buffer.alloc(500_000, 'o'), Buffer.alloc(700_000, 'y')];
    await store.put('k', old);
    const whole = new Set([digestOf(old), digestOf(young)]);
    const writes = Promise.all(Array.from({ length: 20 }, (_, i) => store.put('k', i % 2 ? old : young)));
    for (let reads = 0; reads < 40; reads += 1)
      expect(whole).toContain(digestOf((await store.get('k')) ?? ''));
    await writes;
    expect(await store.list('')).toEqual(['k']);
  });

  it('stops for a caller who gave up', async () => {
    const gone = AbortSignal.abort(new Error('gone'));
    const store = await fresh();
    await expect(store.put('k', '', gone)).rejects.toThrow('gone');
    await expect(store.putOnce('k', '', gone)).rejects.toThrow('gone');
    await expect(store.get('k', gone)).rejects.toThrow('gone');
    await expect(store.list('', gone)).rejects.toThrow('gone');
  });
}
