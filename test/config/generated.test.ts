import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../src/build/write-schemas.js';

describe('what is published of the schemas', () => {
  it.each([...generatedFiles()])('%s is current (npm run schemas)', async (path, text) => {
    expect(await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text);
  });
});
