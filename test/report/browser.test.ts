import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from './chromium.js';
import { sampleRun } from './sample.js';

let browser: Browser | undefined;
let directory: string;
let file: string;
let small: string;
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'image-factory-test-'));
  file = pathToFileURL(await sampleRun(join(directory, 'large'))).href;
  // axe looks at every element: half a minute for 5,000 findings.
  small = pathToFileURL(await sampleRun(join(directory, 'small'), 0)).href;
  // --no-sandbox: root in a container has none; the page is our own.
  browser = await chromium.launch({ executablePath: await findChromium(), args: ['--no-sandbox'] });
});
afterAll(async () => {
  await browser?.close();
  await rm(directory, { recursive: true, force: true });
});

async function open(
  options: BrowserContextOptions = {},
  url = file,
): Promise<{ page: Page; trouble: string[] }> {
  if (browser === undefined) throw new Error('the browser did not start');
  const page = await (await browser.newContext(options)).newPage();
  const trouble: string[] = [];
  page.on('console', (message) => void trouble.push(message.text()));
  page.on('pageerror', (error) => void trouble.push(error.message));
  page.on('request', (request) => void (request.url() !== url && trouble.push(request.url())));
  await page.goto(url);
  return { page, trouble };
}

const shownImages = (page: Page) => page.locator('#images > tbody > tr:visible > th').allInnerTexts();

describe('the page in a browser', () => {
  for (const colorScheme of ['light', 'dark'] as const)
    it(`is accessible in ${colorScheme}: axe finds nothing serious`, async () => {
      // The page's own policy refuses axe, as it should refuse any other script.
      const { page } = await open({ colorScheme, bypassCSP: true }, small);
      await page
        .locator('details')
        .first()
        .evaluate((one) => one.setAttribute('open', ''));
      await page.addScriptTag({ content: await readFile(axe, 'utf8') });
      const violations = await page.evaluate<{ impact: string; id: string; nodes: { html: string }[] }[]>(
        'axe.run({ resultTypes: ["violations"] }).then((found) => found.violations)',
      );
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
    });

  it('asks for nothing, and hostile names run nothing', async () => {
    const { page, trouble } = await open();
    expect(await page.title()).toMatch(/^CI images/);
    expect(await page.getByText('</script><img src=x onerror=alert(1)>').count()).toBeGreaterThan(0);
    expect(trouble).toEqual([]);
  });

  it('filters by text, also of findings, and by outcome', async () => {
    const { page } = await open();
    const all = await shownImages(page);
    await page.getByLabel('Filter').fill('CVE-2024-3094');
    expect(await shownImages(page)).toEqual([expect.stringContaining('evil/image:1')]);
    expect(await page.locator('details[data-image]:visible').count()).toBe(1);
    await page.getByLabel('Filter').fill('');
    await page.getByLabel('Outcome').selectOption('blocked');
    expect(await shownImages(page)).toEqual([expect.stringContaining('plugins/kaniko')]);
    await page.getByLabel('Outcome').selectOption('');
    expect(await shownImages(page)).toEqual(all);
  });

  it('sorts by a column, and back', async () => {
    const { page } = await open();
    const button = page.locator('#images').getByRole('button', { name: 'Image and fields' });
    await button.click();
    const up = await shownImages(page);
    expect(up).toEqual([...up].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })));
    await button.click();
    expect(await shownImages(page)).toEqual(up.reverse());
    expect(await page.locator('#images th[aria-sort=descending]').count()).toBe(1);
  });

  it('copies a whole digest', async () => {
    const { page } = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
    const code = page.locator('code.copy', { hasText: /^sha256:/ }).first();
    await code.locator('+ button').click();
    await page
      .getByRole('button', { name: /^copy sha256/ })
      .first()
      .getByText('copied')
      .waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(await code.textContent());
  });

  it('is whole without its script', async () => {
    const { page } = await open({ javaScriptEnabled: false });
    expect(await page.locator('#tools').isVisible()).toBe(false);
    expect(await page.locator('button').count()).toBe(0);
    await page.locator('details', { hasText: 'evil/image:1' }).locator('summary').click();
    expect(await page.getByText('CVE-2024-3094').first().isVisible()).toBe(true);
    expect(await page.getByText('image-factory restore').first().isVisible()).toBe(true);
  });

  it('shows 5,000 findings, and never scrolls sideways on a narrow screen', async () => {
    const { page } = await open({ viewport: { width: 500, height: 900 } });
    expect(await page.locator('details tbody tr').count()).toBeGreaterThan(4900);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(500);
  });
});
