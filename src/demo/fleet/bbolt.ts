/** A bucket of a bbolt file: keys to values or to nested buckets. */
export type Bucket = Map<string, Buffer | Bucket>;

const PAGE = 4096;
const HEADER = 16;
/** The longest run of keys that one page's 16-bit count can hold. */
const MAX_KEYS = 0xffff;
const FLAG = { leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;

/** bbolt's page header: id, flags, count, overflow (bbolt `internal/common/page.go`). */
function pageHeader(id: number, flags: number, count: number, overflow: number): Buffer {
  const head = Buffer.alloc(HEADER);
  head.writeBigUInt64LE(BigInt(id), 0);
  head.writeUInt16LE(flags, 8);
  head.writeUInt16LE(count, 10);
  head.writeUInt32LE(overflow, 12);
  return head;
}

interface LeafEntry {
  key: Buffer;
  value: Buffer;
  bucket: boolean;
}

/** The elements and data of one leaf page; keys are in byte order, as bbolt's search expects. */
function leafBody(entries: LeafEntry[]): Buffer {
  if (entries.length > MAX_KEYS) throw new Error('bbolt: too many keys for one page');
  entries.sort((a, b) => Buffer.compare(a.key, b.key));
  const elements = Buffer.alloc(HEADER * entries.length);
  let position = elements.length;
  entries.forEach(({ key, value, bucket }, index) => {
    const at = index * HEADER;
    elements.writeUInt32LE(bucket ? 1 : 0, at);
    elements.writeUInt32LE(position - at, at + 4);
    elements.writeUInt32LE(key.length, at + 8);
    elements.writeUInt32LE(value.length, at + 12);
    position += key.length + value.length;
  });
  return Buffer.concat([elements, ...entries.flatMap(({ key, value }) => [key, value])]);
}

function bucketHeader(root: number): Buffer {
  const head = Buffer.alloc(HEADER);
  head.writeBigUInt64LE(BigInt(root));
  return head;
}

/** FNV-1a, 64 bits: the checksum of a meta page. */
function fnv64a(bytes: Buffer): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash;
}

/** The bytes of a bbolt file (format 2) that holds `top`, written once and never changed: one leaf page per bucket. */
export function bboltFile(top: Bucket): Buffer {
  const pages: Buffer[] = [];
  let next = 3; // 0 and 1 are meta pages, 2 is the free list
  const allocate = (body: Buffer, count: number): number => {
    const length = Math.ceil((HEADER + body.length) / PAGE);
    const id = next;
    next += length;
    const page = Buffer.alloc(length * PAGE);
    pageHeader(id, FLAG.leaf, count, length - 1).copy(page);
    body.copy(page, HEADER);
    pages.push(page);
    return id;
  };
  const entriesOf = (bucket: Bucket): LeafEntry[] =>
    [...bucket].map(([key, value]) => ({
      key: Buffer.from(key),
      value: value instanceof Map ? nested(value) : value,
      bucket: value instanceof Map,
    }));
  const nested = (bucket: Bucket): Buffer => {
    const entries = entriesOf(bucket);
    const body = leafBody(entries);
    // As bbolt does: a small bucket without buckets of its own lives inside its parent's page.
    const inline = !entries.some((entry) => entry.bucket) && HEADER + body.length <= PAGE / 4;
    if (!inline) return bucketHeader(allocate(body, entries.length));
    return Buffer.concat([bucketHeader(0), pageHeader(0, FLAG.leaf, entries.length, 0), body]);
  };
  const topEntries = entriesOf(top);
  const root = allocate(leafBody(topEntries), topEntries.length);
  const meta = (id: number): Buffer => {
    const page = Buffer.alloc(PAGE);
    pageHeader(id, FLAG.meta, 0, 0).copy(page);
    page.writeUInt32LE(0xed0cdaed, 16); // magic
    page.writeUInt32LE(2, 20); // format
    page.writeUInt32LE(PAGE, 24);
    page.writeBigUInt64LE(BigInt(root), 32);
    page.writeBigUInt64LE(2n, 48); // the free list's page
    page.writeBigUInt64LE(BigInt(next), 56); // the first page beyond the file
    page.writeBigUInt64LE(BigInt(id), 64); // transaction
    page.writeBigUInt64LE(fnv64a(page.subarray(16, 72)), 72);
    return page;
  };
  const freelist = Buffer.alloc(PAGE);
  pageHeader(2, FLAG.freelist, 0, 0).copy(freelist);
  return Buffer.concat([meta(0), meta(1), freelist, ...pages]);
}
