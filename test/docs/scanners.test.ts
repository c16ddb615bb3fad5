import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/common/process.js';
import { gatherScanSchema } from '../../src/config/template-schemas.js';
import { parseTemplate } from '../../src/config/template-yaml.js';
import { sarifFindings } from '../../src/scanners/sarif.js';
import { temporaryDirectory } from '../support/directory.js';
import { readDocument } from './document.js';

describe('docs/scanners.md', () => {
  let blocks: Map<string, string>;
  beforeAll(async () => {
    const text = await readDocument('docs/scanners.md');
    blocks = new Map(
      [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language = '', body = '']) => [
        language,
        body,
      ]),
    );
  });
  const block = (language: string): string => blocks.get(language) ?? 'there is none';

  it('has a template that is one', () => {
    expect(parseTemplate(block('yaml'), gatherScanSchema)).toMatchObject({
      ok: true,
      value: { scanners: ['trivy', { name: 'grype', command: 'grype' }] },
    });
  });

  it('has the SARIF of a scanner of one’s own that says all that can be said', () => {
    expect(sarifFindings(Buffer.from(block('json')), 'mine')).toEqual([
      {
        id: 'CVE-2022-37434',
        package: 'zlib1g',
        installed: '1:1.2.11.dfsg-2',
        fixed: '1:1.2.11.dfsg-2+deb11u2',
        severity: 'CRITICAL',
        title: 'zlib1g is old',
        url: '',
        foundBy: ['mine'],
      },
    ]);
  });

  it('has a script that takes findings for a scan, and a failure for a failure', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'scan.sh'), block('sh'), { mode: 0o755 });
    const codeAfter = async (snyk: number): Promise<number | null> => {
      await writeFile(join(directory, 'snyk'), `#!/bin/sh\n[ -s image.tar ] || exit 9\nexit ${snyk}\n`, {
        mode: 0o755,
      });
      const env = { PATH: `${directory}${delimiter}${process.env.PATH}` };
      const options = { env, cwd: directory, timeoutMs: 30_000 };
      // Any directory will do for a layout here.
      const layout = await temporaryDirectory();
      return (await runProgram('./scan.sh', [layout, 'output'], options)).code;
    };
    expect([await codeAfter(0), await codeAfter(1), await codeAfter(2), await codeAfter(3)]).toEqual([
      0, 0, 2, 3,
    ]);
  });
});
