import type { Readable } from 'node:stream';

/** BuildKit's packets are below 33 KiB; this bounds what is waited for. */
const MAX_MESSAGE_BYTES = 1 << 20;

/** A message as gRPC sends it: not compressed, its length, then itself (grpc.io, PROTOCOL-HTTP2). */
export function grpcFrame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The messages of a stream of gRPC, which can be written to when they were read. @throws Error for one that is compressed, too long or cut */
export async function* grpcMessages(stream: Readable): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    const bytes: Buffer = chunk;
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    while (held.length >= 5) {
      const length = held.readUInt32BE(1);
      if (held[0] !== 0 || length > MAX_MESSAGE_BYTES)
        throw new Error('a message that gRPC does not have here');
      if (held.length < 5 + length) break;
      yield held.subarray(5, 5 + length);
      held = held.subarray(5 + length);
    }
  }
  if (held.length > 0) throw new Error('a message that was cut');
}
