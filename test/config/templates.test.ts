import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  loadBuildPush,
  loadGatherScan,
  policyDigestOf,
  type TemplateKind,
} from '../../src/config/templates.js';
import type { Policy } from '../../src/contract/run.js';
import { temporaryDirectory } from '../support/directory.js';
import { settingsOf } from '../support/template-settings.js';

const TODAY = '2026-03-01';

async function folderWith(kind: TemplateKind, name: string, text: string): Promise<string> {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, kind), { recursive: true });
  await writeFile(join(directory, kind, `${name}.yaml`), text);
  return directory;
}
async function gatherFaults(text: string): Promise<string> {
  const loaded = await loadGatherScan(
    'mine',
    settingsOf(await folderWith('gather-scan', 'mine', text)),
    TODAY,
  );
  return loaded.ok ? '' : loaded.faults.join('\n');
}
async function build(text: string, platforms?: string[]) {
  const loaded = await loadBuildPush(
    'mine',
    settingsOf(await folderWith('build-push', 'mine', text)),
    platforms,
  );
  if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
  return loaded.value;
}

describe('templates', () => {
  it('has a built-in default of both kinds', async () => {
    expect(await loadGatherScan('default', settingsOf(null), TODAY)).toMatchObject({
      ok: true,
      value: {
        sources: ['default'],
        policy: { failOn: 'CRITICAL', fixableOnly: true, action: 'warn', maxDatabaseAgeHours: 168 },
      },
    });
    expect(await loadBuildPush('default', settingsOf(null), undefined)).toMatchObject({
      ok: true,
      value: { engine: 'registry', platforms: [], labels: {} },
    });
  });

  it('prefers the one in TEMPLATE_DIR, and fills in what it leaves out', async () => {
    const directory = await folderWith('gather-scan', 'default', 'policy: {maxDatabaseAge: 72h}');
    expect(await loadGatherScan('default', settingsOf(directory), TODAY)).toMatchObject({
      value: { policy: { maxDatabaseAgeHours: 72, action: 'warn' } },
    });
    expect(
      await loadGatherScan('other', settingsOf(await folderWith('gather-scan', 'other', '')), TODAY),
    ).toMatchObject({
      ok: true,
    });
  });

  it('says where a name was looked for, without a path of the worker', async () => {
    const directory = await temporaryDirectory();
    const loaded = await loadGatherScan('none', settingsOf(directory), TODAY);
    expect(loaded).toEqual({
      ok: false,
      faults: [expect.stringMatching(/none does not exist.*no gather-scan\/none\.yaml in TEMPLATE_DIR/)],
    });
    expect(JSON.stringify(loaded)).not.toContain(directory);
  });

  it('names every fault with its line', async () => {
    const text = await gatherFaults(
      [
        'sources: [default, mine]',
        'polciy: {}',
        'extraImages: ["a:1", "x/UPPER:1"]',
        'policy:',
        '  action: refuse',
        '  maxDatabaseAge: 7w',
        '  exceptions:',
        '    - id: CVE-2023-4911',
        '      owner: alice',
        '      reason: no shell',
        '      expires: 2026-02-30',
      ].join('\n'),
    );
    expect(text).toMatch(/line 1: sources\[1\]/);
    expect(text).toMatch(/line 2: unknown field "polciy" \(did you mean policy\?\)/);
    expect(text).toMatch(/line 3: extraImages\[1\]/);
    expect(text).toMatch(/line 5: policy\.action/);
    expect(text).toMatch(/line 6: policy\.maxDatabaseAge must be hours or days/);
    expect(text).toMatch(/line 11: policy\.exceptions\[0\]\.expires must be a day/);
  });

  it('wants an owner, a reason and an end of every exception', async () => {
    const text = await gatherFaults('policy: {exceptions: [{id: CVE-2023-4911}]}');
    for (const field of ['owner', 'reason', 'expires']) expect(text).toContain(`exceptions[0].${field}`);
  });

  it('refuses what is more than plain data, and what explodes', async () => {
    expect(await gatherFaults('sources: !!js/function "x"')).toMatch(/line 1: /);
    expect(await gatherFaults('include: [a\nexclude: [')).toMatch(/line /);
    expect(await gatherFaults('include: [a]\ninclude: [b]')).toMatch(/line 2: .*unique/i);
    const bomb = Array.from({ length: 12 }, (_, n) =>
      n === 0
        ? 'a0: &a0 [x,x,x,x,x,x,x,x,x]'
        : `a${n}: &a${n} [${Array(9)
            .fill(`*a${n - 1}`)
            .join(',')}]`,
    );
    expect(await gatherFaults(bomb.join('\n'))).toMatch(/alias/i);
    expect(await gatherFaults(`# ${'x'.repeat(256 * 1024)}`)).toMatch(/larger than 256 KiB/);
  });

  it('follows no link out of TEMPLATE_DIR and takes no path for a name', async () => {
    const outside = await folderWith('gather-scan', 'secret', 'sources: []');
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'gather-scan'));
    await symlink(join(outside, 'gather-scan/secret.yaml'), join(directory, 'gather-scan/mine.yaml'));
    expect(await loadGatherScan('mine', settingsOf(directory), TODAY)).toEqual({
      ok: false,
      faults: [expect.stringMatching(/link that leads out/)],
    });
    for (const name of ['../x', '/etc/passwd', 'A', '.hidden'])
      expect((await loadGatherScan(name, settingsOf(directory), TODAY)).ok, name).toBe(false);
  });

  it('keeps the factory’s own labels, wants text for values, and knows its engines', async () => {
    await expect(build('labels: {io.harness.image-factory.source: x}')).rejects.toThrow(/set by the factory/);
    await expect(build('labels: {com.example.version: 1.0}')).rejects.toThrow(/put the value in quotes/);
    await expect(build('engine: kaniko')).rejects.toThrow(/line 1: engine invalid option/);
  });
});

describe('digests of templates', () => {
  it('change with what changes bytes, and with nothing else', async () => {
    const plain = await build('labels: {a.b: x, c.d: y}\nplatforms: [linux/arm64, linux/amd64]');
    const same = [
      await build(
        '# a comment\nlabels:\n  c.d: "y"\n  a.b: x\nplatforms: [linux/amd64, linux/arm64]\nengine: registry',
      ),
      await build('labels: {a.b: x, c.d: y}', ['linux/arm64', 'linux/amd64', 'linux/arm64']),
    ];
    for (const other of same) expect(other.templateDigest).toBe(plain.templateDigest);
    for (const text of ['labels: {a.b: x}', 'labels: {a.b: x, c.d: y}', 'annotations: {a.b: x}'])
      expect((await build(text)).templateDigest).not.toBe(plain.templateDigest);
  });

  it('change when an exception ends, so that the image is scanned again', () => {
    const policy: Policy = {
      failOn: 'CRITICAL',
      fixableOnly: true,
      action: 'block',
      notScannable: 'warn',
      maxDatabaseAgeHours: 168,
      exceptions: [{ id: 'CVE-2023-4911', owner: 'alice', reason: 'no shell', expires: '2026-03-01' }],
    };
    expect(policyDigestOf(policy, '2026-03-01')).toBe(policyDigestOf(policy, '2026-01-01'));
    expect(policyDigestOf(policy, '2026-03-02')).toBe(
      policyDigestOf({ ...policy, exceptions: [] }, '2026-03-02'),
    );
    expect(policyDigestOf(policy, '2026-03-02')).not.toBe(policyDigestOf(policy, '2026-03-01'));
  });
});
