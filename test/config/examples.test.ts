import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadBuildPush, loadGatherScan } from '../../src/config/templates.js';
import type { Program } from '../../src/contract/run.js';
import { openPrograms } from '../programs/world.js';
import { temporaryDirectory } from '../support/directory.js';
import { imageOf, layerOf } from '../support/images.js';
import { settingsOf } from '../support/template-settings.js';

const EXAMPLES = fileURLToPath(new URL('../../templates/examples', import.meta.url));
const named = async (kind: string): Promise<string[]> =>
  (await readdir(join(EXAMPLES, kind))).map((name) => basename(name, '.yaml'));

describe('the examples of templates', () => {
  it('are those of the issue, and are loaded as a worker loads them', async () => {
    expect(await named('gather-scan')).toEqual(['notification', 'second-scanner']);
    expect(await named('build-push')).toEqual(['apt-mirror-and-proxy', 'corporate-ca']);
    for (const name of await named('gather-scan'))
      expect(await loadGatherScan(name, settingsOf(EXAMPLES), '2026-03-01'), name).toMatchObject({
        ok: true,
      });
    for (const name of await named('build-push'))
      expect(await loadBuildPush(name, settingsOf(EXAMPLES), undefined), name).toMatchObject({
        ok: true,
        value: { engine: 'buildkit', buildkit: { onUnbuildablePlatform: 'copy', network: 'none' } },
      });
  });

  it('have no file that none of them names', async () => {
    const texts = await Promise.all(
      ['gather-scan', 'build-push'].map(async (kind) =>
        Promise.all(
          (await named(kind)).map((name) => readFile(join(EXAMPLES, kind, `${name}.yaml`), 'utf8')),
        ),
      ),
    );
    const all = texts.flat().join('\n');
    for (const name of await readdir(join(EXAMPLES, 'files'))) expect(all).toContain(`from: ${name}`);
  });
});

describe('the second scanner of the example', () => {
  /** The example's scanner, its files in the evidence store of a worker. */
  async function openScanner() {
    const world = await openPrograms();
    const loaded = await loadGatherScan('second-scanner', settingsOf(EXAMPLES), '2026-03-01');
    const scanner: Program | undefined = loaded.ok ? loaded.value.scanners?.[0] : undefined;
    if (!loaded.ok || scanner === undefined) throw new Error('the example has a scanner');
    for (const [key, bytes] of loaded.captured) await world.evidence.put(key, bytes);
    return (layout: string) =>
      world.run(scanner, { variables: { layout }, result: { path: 'out.sarif', maxBytes: 1 << 20 } });
  }

  /** An OCI layout with one image of these files. */
  async function layoutOf(...layers: Record<string, string>[]): Promise<string> {
    const directory = await temporaryDirectory();
    const image = imageOf({ layers: layers.map((files) => layerOf(files)) });
    await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
    for (const { descriptor, bytes } of [...image.blobs, image.top])
      await writeFile(join(directory, 'blobs', ...descriptor.digest.split(':')), bytes);
    await writeFile(
      join(directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [image.top.descriptor] }),
    );
    return directory;
  }

  it('finds private keys in any layer, and says so in SARIF', async () => {
    const scan = await openScanner();
    const key = `-----BEGIN ${'RSA PRIVATE'} KEY-----\nMIIE\n`;
    const end = await scan(
      await layoutOf(
        { 'app/readme': 'a'.repeat(70_000), 'root/.ssh/id_rsa': key },
        { 'etc/ssl/tls.key': key, 'etc/ssl/tls.crt': 'x' },
      ),
    );
    expect(end).toMatchObject({ code: 0, output: '2 private keys\n' });
    const [run] = JSON.parse(String(end.result)).runs;
    expect(run.results.map((one: { locations: unknown }) => one.locations)).toEqual(
      ['etc/ssl/tls.key', 'root/.ssh/id_rsa'].map((uri) => [
        { physicalLocation: { artifactLocation: { uri } } },
      ]),
    );
  });

  it('finds none where there is none', async () => {
    const end = await (await openScanner())(await layoutOf({ 'app/readme': 'text' }));
    expect(JSON.parse(String(end.result)).runs[0].results).toEqual([]);
  });
});
