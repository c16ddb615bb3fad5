import type { Readable } from 'node:stream';
import type { z } from 'zod';

/** A build's messages with a trace in them stay below 100 KB; this bounds what is kept of a line that does not end. */
const MAX_MESSAGE_BYTES = 32 << 20;

/**
 * The messages of an answer that tells how it goes on: one JSON document a line. Messages of another shape are left out.
 * @throws Error when a message is longer than 32 MiB or no JSON; what the stream fails with
 */
export async function* messagesOf<T>(stream: Readable, schema: z.ZodType<T>): AsyncGenerator<T> {
  let open: Buffer[] = [];
  let size = 0;
  const read = (line: Buffer): T | undefined => {
    const text = line.toString('utf8').trim();
    return text === '' ? undefined : schema.safeParse(JSON.parse(text)).data;
  };
  for await (const chunk of stream) {
    let bytes: Buffer = chunk;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      const message = read(Buffer.concat([...open, bytes.subarray(0, end)]));
      open = [];
      size = 0;
      bytes = bytes.subarray(end + 1);
      if (message !== undefined) yield message;
    }
    open.push(bytes);
    size += bytes.length;
    if (size > MAX_MESSAGE_BYTES) throw new Error('a message is too long');
  }
  const last = read(Buffer.concat(open));
  if (last !== undefined) yield last;
}
