/** A command of Trivy's cache has at most: `SET key value EX seconds`. */
const MAX_PARTS = 16;
const MAX_LINE = 64;

/**
 * The commands of a connection in Redis's protocol (redis.io/docs, "Redis serialization protocol": arrays of bulk
 * strings), one after the other. It ends with the connection.
 *
 * @param maxBytes how long a part of a command may be now.
 * @throws Error when it is something else, or longer
 */
export async function* readCommands(
  connection: AsyncIterable<Buffer>,
  maxBytes: () => number,
): AsyncGenerator<Buffer[]> {
  const input = new Input(connection);
  for (;;) {
    const count = await input.header('*', MAX_PARTS);
    if (count === undefined) return;
    const parts: Buffer[] = [];
    while (parts.length < count) {
      const size = await input.header('$', maxBytes());
      const part = size === undefined ? undefined : await input.take(size + 2);
      if (part === undefined) return;
      parts.push(part.subarray(0, -2));
    }
    yield parts;
  }
}

class Input {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The number in a line such as `*3` or `$11`; undefined at the end of the connection. */
  async header(kind: string, max: number): Promise<number | undefined> {
    let end = this.#rest.indexOf('\r\n');
    while (end < 0) {
      if (this.#rest.length > MAX_LINE || !(await this.#more())) return undefined;
      end = this.#rest.indexOf('\r\n');
    }
    const line = this.#rest.toString('latin1', 0, Math.min(end, MAX_LINE));
    this.#rest = this.#rest.subarray(end + 2);
    const value = /^.\d{1,10}$/.test(line) && line.startsWith(kind) ? Number(line.slice(1)) : undefined;
    if (value === undefined || value > max) throw new Error('not a command of the cache');
    return value;
  }

  /** So many bytes; undefined when the connection ends before. */
  async take(bytes: number): Promise<Buffer | undefined> {
    // Joined once: an analysis has megabytes and comes in pieces of 64 KiB.
    const chunks = [this.#rest];
    let size = this.#rest.length;
    while (size < bytes) {
      const { done, value } = await this.#source.next();
      if (done) return undefined;
      chunks.push(value);
      size += value.length;
    }
    const all = chunks.length === 1 ? this.#rest : Buffer.concat(chunks);
    this.#rest = all.subarray(bytes);
    return all.subarray(0, bytes);
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (!done) this.#rest = Buffer.concat([this.#rest, value]);
    return done !== true;
  }
}
