import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { relativePathFault } from '../config/program-schema.js';
import { codeOf, isAbandoned, writerName } from '../store/writers.js';

/** Removes the directories that programs of dead workers left behind. */
export async function sweepPlaces(root: string): Promise<void> {
  const names = await readdir(root).catch(() => []); // nothing ran here yet
  for (const name of names) {
    const path = join(root, name);
    const found = await stat(path).catch(() => undefined); // its worker has just ended
    if (found !== undefined && isAbandoned(name, found.mtimeMs)) await remove(path);
  }
}

// A program may leave a directory that can't be written to; it must not fail what it did well.
const remove = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true }).catch(() => undefined);

/** A directory of one program's own, that nobody else on the machine can look into. */
export class Place {
  private constructor(readonly path: string) {}

  /** Where the program runs. */
  readonly work = (): string => join(this.path, 'work');
  readonly home = (): string => join(this.path, 'home');
  readonly temporary = (): string => join(this.path, 'tmp');

  static async make(root: string): Promise<Place> {
    const place = new Place(join(root, writerName()));
    await mkdir(root, { recursive: true, mode: 0o700 });
    await mkdir(place.path, { mode: 0o700 });
    for (const path of [place.work(), place.home(), place.temporary()]) await mkdir(path, { mode: 0o700 });
    return place;
  }

  /** The absolute path of something below the working directory. @throws Error when it would lie elsewhere */
  at(path: string): string {
    const fault = relativePathFault(path);
    if (fault !== undefined) throw new Error(`${JSON.stringify(path.slice(0, 100))} ${fault}`);
    return join(this.work(), path);
  }

  /** Puts a file there. @throws Error also when there is one already */
  async put(path: string, bytes: Buffer, executable = false): Promise<string> {
    const file = await this.expect(path);
    await writeFile(file, bytes, { flag: 'wx' });
    await chmod(file, executable ? 0o700 : 0o600);
    return file;
  }

  /** Where a file will be, in a folder that is there. */
  async expect(path: string): Promise<string> {
    const file = this.at(path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    return file;
  }

  /**
   * Reads what the program wrote.
   *
   * @returns undefined when it wrote nothing
   * @throws Error when it is no file, or larger than it may be
   */
  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    let file: Awaited<ReturnType<typeof open>>;
    try {
      // It may have left a link to something else, or a pipe that nobody writes to.
      file = await open(this.at(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw new Error(`its result can't be read (${codeOf(error) ?? 'no code'})`);
    }
    try {
      const info = await file.stat();
      if (!info.isFile()) throw new Error('its result is not a file');
      if (info.size > maxBytes)
        throw new Error(`its result has ${info.size} bytes, and may have ${maxBytes}`);
      const buffer = Buffer.alloc(info.size);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  remove(): Promise<void> {
    return remove(this.path);
  }
}
