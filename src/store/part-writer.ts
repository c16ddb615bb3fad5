import type { FileHandle } from 'node:fs/promises';

/** Appends to a file, one write at a time, while the next bytes are already coming. */
export class PartWriter {
  #writing: Promise<void> = Promise.resolve();

  /**
   * @param written where the next byte belongs; at its own place, so that even two who think a part is theirs write the
   * same bytes to the same places.
   * @param onWritten gets the file's length after each write.
   */
  constructor(
    private readonly file: FileHandle,
    private written: number,
    private readonly onWritten: (length: number) => void,
  ) {}

  /** Takes bytes, which are looked at until the next are taken. @throws what the write before threw */
  async add(bytes: Buffer): Promise<void> {
    await this.#writing;
    this.#writing = this.#write(bytes);
    this.#writing.catch(() => {}); // whoever waits for it next is told
  }

  /** Settles when all is in the file. @throws what the last write threw */
  end(): Promise<void> {
    return this.#writing;
  }

  async #write(bytes: Buffer): Promise<void> {
    // A write may be cut short (a disk about to be full): what is left is tried again, and then fails.
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.file.write(bytes, at, bytes.length - at, this.written);
      at += bytesWritten;
      this.written += bytesWritten;
    }
    this.onWritten(this.written);
  }
}
