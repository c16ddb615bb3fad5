import { crc32 } from 'node:zlib';

/** One entry of a layer: a file with content, or a directory when `content` is absent. */
export interface TarEntry {
  path: string;
  content?: Buffer | string;
  mode?: number;
}

const BLOCK = 512;

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

/** A header of POSIX.1-1988 ustar; owner root, time zero, so that the same entries always give the same bytes. */
function header(entry: TarEntry, size: number): Buffer {
  const directory = entry.content === undefined;
  const name = directory ? `${entry.path}/` : entry.path;
  if (Buffer.byteLength(name) > 100)
    throw new Error(`tar: the name is longer than ustar's 100 bytes: ${name}`);
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 'utf8');
  block.write(octal(entry.mode ?? (directory ? 0o755 : 0o644), 8), 100);
  block.write(octal(0, 8), 108); // uid
  block.write(octal(0, 8), 116); // gid
  block.write(octal(size, 12), 124);
  block.write(octal(0, 12), 136); // mtime
  block.fill(' ', 148, 156); // the checksum counts its own field as spaces
  block.write(directory ? '5' : '0', 156);
  block.write('ustar\x0000', 257);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return block;
}

/** A tar archive; directories above a file are added once, before it. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  const seen = new Set<string>();
  const add = (entry: TarEntry): void => {
    if (seen.has(entry.path)) return;
    seen.add(entry.path);
    const parent = entry.path.slice(0, Math.max(entry.path.lastIndexOf('/'), 0));
    if (parent !== '') add({ path: parent });
    const content = Buffer.from(entry.content ?? '');
    parts.push(header(entry, content.length), content);
    parts.push(Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK));
  };
  entries.forEach(add);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** The longest stored block of deflate (RFC 1951, section 3.2.4). */
const STORED_MAX = 0xffff;

/**
 * A gzip file (RFC 1952) of stored blocks. Node's zlib compresses differently from version to version; these bytes,
 * and so the digests made from them, are the same everywhere.
 */
export function gzipStored(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])];
  for (let at = 0; at === 0 || at < bytes.length; at += STORED_MAX) {
    const chunk = bytes.subarray(at, at + STORED_MAX);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + STORED_MAX >= bytes.length ? 1 : 0, 0);
    head.writeUInt16LE(chunk.length, 1);
    head.writeUInt16LE(~chunk.length & 0xffff, 3);
    parts.push(head, chunk);
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(bytes), 0);
  trailer.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([...parts, trailer]);
}
