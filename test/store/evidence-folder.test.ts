import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';
import { evidenceContract } from './evidence-contract.js';

const fresh = async (): Promise<FolderEvidenceStore> =>
  new FolderEvidenceStore(join(await temporaryDirectory(), 'reports'));

describe('the evidence folder', () => {
  evidenceContract(fresh);

  it('says where a key lies', async () => {
    const store = await fresh();
    expect(store.locate('runs/1/report.json')).toBe(join(store.directory, 'runs', '1', 'report.json'));
  });

  it('leaves no temporary file, and lists none of another writer', async () => {
    const store = await fresh();
    await Promise.all(['a', 'b', 'c'].map((text) => store.putOnce('runs/k', text)));
    await store.put('runs/k', 'd');
    expect(await readdir(join(store.directory, 'runs'))).toEqual(['k']);
    await writeFile(join(store.directory, 'runs', '.half-written'), '');
    expect(await store.list('runs/')).toEqual(['runs/k']);
  });

  it('names the folder when it can not be used', async () => {
    const store = await fresh();
    await writeFile(store.directory, 'a file where the folder should be');
    await expect(store.put('k', '')).rejects.toMatchObject({
      type: 'EvidenceUnavailable',
      message: expect.stringContaining(`${store.directory} can't be written`),
    });
    await expect(store.get('k')).rejects.toMatchObject({ type: 'EvidenceUnavailable' });
  });

  it('says that a key which is a folder holds no evidence', async () => {
    const store = await fresh();
    await mkdir(join(store.directory, 'k'), { recursive: true });
    await chmod(store.directory, 0o755);
    await expect(store.get('k')).rejects.toMatchObject({ type: 'EvidenceUnavailable' });
  });
});
