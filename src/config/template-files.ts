import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { TemplateFile } from '../contract/run.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { digestOf, hexOf } from '../registry/digest.js';

const MAX_FILE_BYTES = 2 ** 20;
const MAX_ALL_BYTES = 16 * 2 ** 20;

/** What a template is made of, by its key in the evidence store. */
export type Captured = Map<string, Buffer>;

/** Notes some bytes, to be written once under a key that is their hash. */
export function capture(bytes: Buffer, captured: Captured): EvidenceRef {
  const digest = digestOf(bytes);
  const key = `templates/${hexOf(digest)}`;
  captured.set(key, bytes);
  return { key, digest };
}

export const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;

/** A file as it is, and whether it may be run. */
export interface FileContent {
  bytes: Buffer;
  executable: boolean;
}

/**
 * Reads a file below a folder, where links lead as well, but not out of it.
 *
 * @returns undefined when there is none
 * @throws Error with the fault; a message of the file system would show the worker's path
 */
export async function readBelow(
  root: string,
  path: string,
  { maxBytes, sizeText, rootName }: { maxBytes: number; sizeText: string; rootName: string },
): Promise<FileContent | undefined> {
  let home: string;
  let real: string;
  try {
    home = await realpath(root);
    real = await realpath(join(root, path));
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw new Error('it can’t be read');
  }
  if (!real.startsWith(home.endsWith(sep) ? home : home + sep))
    throw new Error(`it is a link that leads out of ${rootName}`);
  // O_NONBLOCK: opening a FIFO without a writer would wait for ever.
  const file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new Error('it is not a file');
    if (info.size > maxBytes) throw new Error(`it is larger than ${sizeText}`);
    const buffer = Buffer.alloc(info.size + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    if (bytesRead > info.size) throw new Error('it grows while it is read');
    return { bytes: buffer.subarray(0, bytesRead), executable: (info.mode & 0o111) !== 0 };
  } finally {
    await file.close();
  }
}

/** A file that a template names, from `TEMPLATE_DIR/files/`. */
export interface NamedFile {
  from: string;
  path?: string | undefined;
}

/** Reads the files that one template names, each once. */
export class TemplateFiles {
  readonly #read = new Map<string, Promise<FileContent | undefined>>();
  #bytes = 0;

  /** @param folder the `files` beside the template */
  constructor(
    private readonly folder: string,
    private readonly captured: Captured,
  ) {}

  /** @throws Error with the fault */
  async take({ from, path = from }: NamedFile): Promise<TemplateFile> {
    let content: FileContent | undefined;
    try {
      content = await this.#contentOf(from);
    } catch (error) {
      const why = codeOf(error) === undefined && error instanceof Error ? error.message : 'it can’t be read';
      throw new Error(`is ${from}, which can’t be used: ${why}`);
    }
    if (content === undefined) throw new Error(`is ${from}, and TEMPLATE_DIR/files has no such file`);
    return { path, evidence: capture(content.bytes, this.captured), executable: content.executable };
  }

  #contentOf(from: string): Promise<FileContent | undefined> {
    const known = this.#read.get(from) ?? this.#load(from);
    this.#read.set(from, known);
    return known;
  }

  async #load(from: string): Promise<FileContent | undefined> {
    const options = { maxBytes: MAX_FILE_BYTES, sizeText: '1 MiB', rootName: 'TEMPLATE_DIR/files' };
    const content = await readBelow(this.folder, from, options);
    this.#bytes += content?.bytes.length ?? 0;
    if (this.#bytes > MAX_ALL_BYTES) throw new Error('with it the template’s files are larger than 16 MiB');
    return content;
  }
}
