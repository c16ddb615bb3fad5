import { type FileHandle, open } from 'node:fs/promises';

// bbolt's file format 2 (bbolt `internal/common/{meta,page}.go`).
const MAGIC = 0xed0cdaed;
const HEADER = 16;
const FLAG = { branch: 0x01, leaf: 0x02 } as const;
const IS_BUCKET = 0x01;
/** The top level of a full trivy-db is a few pages; this bounds a damaged file. */
const MAX_PAGES = 1000;
const MAX_PAGE_BYTES = 16 << 20;

interface Root {
  page: bigint;
  pageSize: number;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead < length) throw new Error('the file is cut off');
  return buffer;
}

/** The newer of the two meta pages says where the root is. */
async function readRoot(file: FileHandle): Promise<Root> {
  const first = await readAt(file, HEADER, 64);
  const pageSize = first.readUInt32LE(0) === MAGIC ? first.readUInt32LE(8) : 4096;
  if (pageSize < 512 || pageSize > 1 << 16) throw new Error('its page size is not believable');
  const second = await readAt(file, pageSize + HEADER, 64);
  const metas = [first, second].filter((meta) => meta.readUInt32LE(0) === MAGIC);
  metas.sort((a, b) => Number(b.readBigUInt64LE(48) - a.readBigUInt64LE(48)));
  const [meta] = metas;
  if (meta === undefined) throw new Error('it is not a bbolt file');
  return { page: meta.readBigUInt64LE(16), pageSize };
}

/**
 * The names of a bbolt file's top-level buckets, without reading more than the pages that hold them: trivy-db is most
 * of a gigabyte.
 *
 * @throws Error when the file can't be read or is no bbolt file.
 */
export async function topLevelBuckets(path: string): Promise<Set<string>> {
  const file = await open(path, 'r');
  try {
    const { page, pageSize } = await readRoot(file);
    const names = new Set<string>();
    const pending = [page];
    for (let seen = 0; pending.length > 0; seen++) {
      if (seen > MAX_PAGES) throw new Error('it has too many pages at the top');
      const at = Number(pending.pop()) * pageSize;
      const overflow = (await readAt(file, at, HEADER)).readUInt32LE(12);
      const bytes = await readAt(file, at, Math.min((overflow + 1) * pageSize, MAX_PAGE_BYTES));
      const flags = bytes.readUInt16LE(8);
      for (let index = 0; index < bytes.readUInt16LE(10); index++) {
        const element = HEADER + index * 16;
        if ((flags & FLAG.branch) !== 0) pending.push(bytes.readBigUInt64LE(element + 8));
        else if ((flags & FLAG.leaf) === 0) throw new Error('a page of it is neither branch nor leaf');
        else if ((bytes.readUInt32LE(element) & IS_BUCKET) !== 0) {
          const start = element + bytes.readUInt32LE(element + 4);
          names.add(bytes.toString('utf8', start, start + bytes.readUInt32LE(element + 8)));
        }
      }
    }
    return names;
  } finally {
    await file.close();
  }
}
