import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

interface Page {
  /** A URL, or a file's path. */
  at: string;
  /** Where the picture is put. */
  picture: string;
  width: number;
  height: number;
  /** Words of the page that say that it is all there. */
  ready: string;
  /** They are in a frame, as Markdown is in the Web UI. */
  framed?: boolean;
}

const READY_WITHIN_MS = 60_000;

/** Takes pictures of pages as a browser shows them, the top of each. */
export async function photograph(program: string, pages: readonly Page[]): Promise<void> {
  // Chromium's sandbox does not start for root, which is what containers run as; the pages are our own.
  const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox'] });
  try {
    for (const { at, picture, width, height, ready, framed } of pages) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme: 'light' });
      page.setDefaultTimeout(READY_WITHIN_MS);
      await page.goto(at.startsWith('http') ? at : pathToFileURL(at).href);
      const place = framed ? page.frameLocator('iframe') : page;
      await place.getByText(ready).first().waitFor();
      await page.screenshot({ path: picture });
      await page.close();
    }
  } finally {
    await browser.close();
  }
}
