// A scanner in one file: looks for private keys in the layers of an OCI layout, and says so in SARIF 2.1.0.
//   node second-scanner.mjs --layout DIRECTORY --output FILE
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';

const { values } = parseArgs({ options: { layout: { type: 'string' }, output: { type: 'string' } } });
const blob = (digest) => join(values.layout, 'blobs', ...digest.split(':'));
const json = async (path) => JSON.parse(await readFile(path, 'utf8'));

const KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/;
/** More than the beginning of a key is never looked at. */
const LOOK = 4096;
const BLOCK = 512;

const found = new Set();
const { manifests } = await json(join(values.layout, 'index.json'));
for (const { digest } of manifests)
  for (const layer of (await json(blob(digest))).layers) {
    if (layer.mediaType.includes('zstd')) throw new Error(`${layer.mediaType} needs another scanner`);
    for await (const { name, start } of filesIn(layer)) if (KEY.test(start)) found.add(name);
  }

const results = [...found].sort().map((uri) => ({
  ruleId: 'PRIVATE-KEY',
  level: 'error',
  message: { text: `${uri} is a private key that everybody who can pull the image has` },
  locations: [{ physicalLocation: { artifactLocation: { uri } } }],
}));
const rules = [
  {
    id: 'PRIVATE-KEY',
    shortDescription: { text: 'A private key in a layer' },
    properties: { 'security-severity': '8.0' },
  },
];
await writeFile(
  values.output,
  JSON.stringify({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'private-keys', rules } }, results }],
  }),
);
console.log(`${results.length} private keys`);

/** The files of a tar, by name and with their first bytes. (POSIX.1-2017, pax: 512-byte headers, sizes in octal.) */
async function* filesIn({ digest, mediaType }) {
  const file = createReadStream(blob(digest));
  const tar = mediaType.includes('gzip') ? file.pipe(createGunzip()) : file;
  let held = Buffer.alloc(0);
  let skip = 0;
  let entry;
  for await (const chunk of tar) {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      const step = Math.min(skip, held.length);
      held = held.subarray(step);
      skip -= step;
      if (skip > 0) break;
      if (entry === undefined) {
        if (held.length < BLOCK) break;
        const text = (from, length) => held.toString('utf8', from, from + length).replace(/\0.*$/s, '');
        const size = Number.parseInt(text(124, 12).trim(), 8) || 0;
        const name = [text(345, 155), text(0, 100)].filter((part) => part !== '').join('/');
        entry = { name, size, isFile: /^[0\0]?$/.test(text(156, 1)) };
        held = held.subarray(BLOCK);
      }
      const wanted = entry.isFile ? Math.min(entry.size, LOOK) : 0;
      if (held.length < wanted) break;
      if (wanted > 0) yield { name: entry.name, start: held.toString('latin1', 0, wanted) };
      skip = Math.ceil(entry.size / BLOCK) * BLOCK;
      entry = undefined;
    }
  }
}
