import { delimiter, join } from 'node:path';
import { isProgram } from '../../src/demo/tools/lookup.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser on PATH; a machine without one fails the test rather than skip it. */
export async function findChromium(): Promise<string> {
  for (const directory of (process.env.PATH ?? '').split(delimiter))
    for (const name of NAMES) {
      const path = join(directory, name);
      if (await isProgram(path)) return path;
    }
  throw new Error('no chromium on PATH: apt-get install chromium');
}
