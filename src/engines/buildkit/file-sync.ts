import { once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { grpcFrame, grpcMessages } from './grpc.js';
import { bytesField, lastOf, numberField, textOf, wireFields } from './protobuf.js';
import type { TarFile } from './tar.js';

/** Kinds of packets (fsutil, types/wire.proto). */
const STAT = 0;
const REQUEST = 1;
const DATA = 2;
const FINISHED = 3;
const FAILED = 4;

/** How much of a file goes into one packet. */
const PIECE_BYTES = 32 << 10;
/** Go's `fs.ModeDir`. */
const DIRECTORY = 2 ** 31;

interface Entry {
  path: string;
  /** Undefined for a folder. */
  file?: ContextFile;
}

/** A file of a build's context, which is small: it came with a template. */
export type ContextFile = Omit<TarFile, 'content'> & { content: Buffer };

/** Folders and files in the order that the receiver asks for: folder by folder, each sorted by name. */
export function entriesOf(files: readonly ContextFile[]): Entry[] {
  const entries = new Map<string, Entry>();
  for (const file of files) {
    const parts = file.path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const path = parts.slice(0, depth).join('/');
      entries.set(path, entries.get(path) ?? { path });
    }
    entries.set(file.path, { path: file.path, file });
  }
  // A separator is before all that a name can have, so that what is in a folder follows it.
  const key = ({ path }: Entry): Buffer => Buffer.from(path.replaceAll('/', '\u0000'));
  return [...entries.values()].sort((a, b) => Buffer.compare(key(a), key(b)));
}

/**
 * Sends files to BuildKit: `moby.filesync.v1.FileSync/DiffCopy`, by fsutil's protocol. Every entry is told in order, and
 * its place in the order is its number; the receiver asks for the contents that it wants by number, and says when it has
 * all. Times are 0 and owners root, so that the same files are the same context on any machine.
 */
export async function sendFiles(stream: ServerHttp2Stream, files: readonly ContextFile[]): Promise<void> {
  const send = async (kind: number, ...fields: Buffer[]): Promise<void> => {
    const packet = Buffer.concat([numberField(1, kind), ...fields]);
    if (!stream.write(grpcFrame(packet))) await once(stream, 'drain');
  };
  const entries = entriesOf(files);
  for (const entry of entries) await send(STAT, bytesField(2, statOf(entry)));
  await send(STAT);
  for await (const message of grpcMessages(stream)) {
    const fields = wireFields(message);
    const kind = Number(lastOf(fields, 1)?.value ?? 0n);
    if (kind === FAILED) throw new Error(`the engine can't take the files: ${textOf(fields, 4)}`);
    if (kind === FINISHED) return send(FINISHED);
    if (kind !== REQUEST) continue;
    const id = Number(lastOf(fields, 3)?.value ?? 0n);
    const content = entries[id]?.file?.content;
    if (content === undefined) throw new Error(`the engine asks for a file that there is not: ${id}`);
    for (let at = 0; at < content.length; at += PIECE_BYTES)
      await send(DATA, numberField(3, id), bytesField(4, content.subarray(at, at + PIECE_BYTES)));
    await send(DATA, numberField(3, id));
  }
}

function statOf({ path, file }: Entry): Buffer {
  const mode = file === undefined ? DIRECTORY + 0o755 : file.executable === true ? 0o755 : 0o644;
  return Buffer.concat([bytesField(1, path), numberField(2, mode), numberField(5, file?.size ?? 0)]);
}
