import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FAILURES } from '../../src/contract/failure.js';
import { DOCUMENTS, prose, ROOT, readDocument } from './document.js';

const exists = (url: URL): Promise<boolean> =>
  access(url).then(
    () => true,
    () => false,
  );

/** A heading's anchor, as GitHub makes it. */
const anchors = (document: string): string[] =>
  [...prose(document).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

describe('the documents', () => {
  it.each(DOCUMENTS)('%s links to files and headings that exist', async (path) => {
    const links = [...prose(await readDocument(path)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to);
    for (const link of links.filter((to) => !/^https?:/.test(to))) {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : fileURLToPath(new URL(file, new URL(path, ROOT)));
      const url = new URL(target, ROOT);
      expect(await exists(url), `${path} → ${link}`).toBe(true);
      if (anchor === undefined) continue;
      const relative = fileURLToPath(url).slice(fileURLToPath(ROOT).length);
      expect(anchors(await readDocument(relative)), `${path} → ${link}`).toContain(anchor);
    }
  });

  it.each(DOCUMENTS)('%s names source files and folders that exist', async (path) => {
    const named = [...(await readDocument(path)).matchAll(/`((?:src|test|templates|docs)\/[^`<*]*)`/g)];
    for (const [, file = ''] of named) expect(await exists(new URL(file, ROOT)), file).toBe(true);
  });
});

describe('docs/troubleshooting.md', () => {
  const table = async () =>
    [
      ...(await readDocument('docs/troubleshooting.md')).matchAll(
        /^\| `(\w+)` \| (yes|no) \| (.+) \| (.+) \|$/gm,
      ),
    ].map(([, type, again]) => [type, again]);

  it('has every failure type once, and says truly whether it is tried again', async () => {
    const truth = Object.entries(FAILURES).map(([type, { retryable }]) => [type, retryable ? 'yes' : 'no']);
    expect((await table()).sort()).toEqual(truth.sort());
  });

  it('is what the README’s own list is taken from', async () => {
    const readme = await readDocument('README.md');
    const section = readme.slice(readme.indexOf('## Troubleshooting'), readme.indexOf('## Not yet'));
    const named = [...section.matchAll(/`([A-Z][a-z]+[A-Z]\w+)`/g)].map(([, type = '']) => type);
    expect(named.length).toBeGreaterThan(15);
    for (const type of named) expect(FAILURES).toHaveProperty([type]);
  });
});

describe('docs/architecture.md', () => {
  it('has every activity profile with its limits', async () => {
    const code = await readDocument('src/workflows/activities.ts');
    const long = (limit: string | undefined) => (limit ?? '').replace(/(\d+)([smh])/, '$1 $2');
    const profiles = [...code.matchAll(/export const (\w+) = profile\(\{([\s\S]*?)\}\);/g)].map(
      ([, name, options = '']) => [
        name,
        long(/startToCloseTimeout: '(\w+)'/.exec(options)?.[1]),
        options.includes('...BEATING') ? '15 s' : 'no',
        long(/scheduleToCloseTimeout: '(\w+)'/.exec(options)?.[1]),
      ],
    );
    const document = await readDocument('docs/architecture.md');
    const rows = [
      ...document.matchAll(/^\| `(\w+)` \| [^|]+ \| (\d+ [smh]) \| ([^|]+) \| (\d+ [smh]) \|$/gm),
    ];
    expect(rows.map(([, ...cells]) => cells)).toEqual(profiles);
  });
});
