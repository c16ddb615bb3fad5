import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { FactoryError } from '../common/errors.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { digestOf } from '../registry/digest.js';
import type { EvidenceStore } from './evidence.js';
import { assertEvidenceKey, assertEvidencePrefix, isEvidenceKey } from './evidence-key.js';
import { codeOf, diskFull, placeOnce, writerName } from './writers.js';

/** The {@link EvidenceStore} on a folder, which all workers share when there are several. */
export class FolderEvidenceStore implements EvidenceStore {
  readonly directory: string;

  /** The folder is made when something is first written. */
  constructor(directory: string) {
    this.directory = resolve(directory);
  }

  async get(key: string, signal?: AbortSignal): Promise<Buffer | undefined> {
    const path = this.locate(key);
    return this.attempt('read', signal, () =>
      readFile(path, { signal }).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
        return undefined;
      }),
    );
  }

  async put(key: string, bytes: Buffer | string, signal?: AbortSignal): Promise<EvidenceRef> {
    const path = this.locate(key);
    await this.attempt('written', signal, () =>
      this.withTemporary(path, bytes, signal, (temporary) => rename(temporary, path)),
    );
    return { key, digest: digestOf(bytes) };
  }

  async putOnce(key: string, bytes: Buffer | string, signal?: AbortSignal): Promise<EvidenceRef> {
    const path = this.locate(key);
    return this.attempt('written', signal, () =>
      this.withTemporary(path, bytes, signal, async (temporary) => {
        const held = (await placeOnce(temporary, path)) ? bytes : await readFile(path, { signal });
        return { key, digest: digestOf(held) };
      }),
    );
  }

  async list(prefix: string, signal?: AbortSignal): Promise<string[]> {
    assertEvidencePrefix(prefix);
    const folder = join(this.directory, prefix.slice(0, prefix.lastIndexOf('/') + 1));
    const entries = await this.attempt('listed', signal, () =>
      readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
        return [];
      }),
    );
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(this.directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .filter((key) => key.startsWith(prefix) && isEvidenceKey(key))
      .toSorted();
  }

  locate(key: string): string {
    assertEvidenceKey(key);
    return join(this.directory, ...key.split('/'));
  }

  /** Writes the bytes beside the path, to be renamed or linked to it, and leaves no temporary file. */
  private async withTemporary<T>(
    path: string,
    bytes: Buffer | string,
    signal: AbortSignal | undefined,
    publish: (temporary: string) => Promise<T>,
  ): Promise<T> {
    await mkdir(dirname(path), { recursive: true });
    const temporary = join(dirname(path), `.${writerName()}`);
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(bytes, { signal });
        await file.datasync(); // a snapshot of an account must survive what made it necessary
      } finally {
        await file.close();
      }
      return await publish(temporary);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  private async attempt<T>(
    what: string,
    signal: AbortSignal | undefined,
    action: () => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      signal?.throwIfAborted();
      const full = diskFull(error, this.directory, 'REPORT_DIR');
      if (full !== undefined) throw full;
      const message = `The evidence folder ${this.directory} can't be ${what} (${codeOf(error) ?? 'no code'}): make it usable for this user, or set REPORT_DIR to another.`;
      throw new FactoryError('EvidenceUnavailable', message, { cause: error });
    }
  }
}
