/** A field of a protobuf message as it is on the wire (protobuf.dev, encoding). */
export interface WireField {
  number: number;
  /** Varints and fixed numbers; 0 for others. */
  value: bigint;
  /** Strings, bytes and messages; empty for others. */
  bytes: Buffer;
}

const EMPTY = Buffer.alloc(0);

/**
 * The fields of a message, in their order. Enough to read the two messages of BuildKit that we need.
 * @throws RangeError when the bytes are no such message
 */
export function wireFields(message: Buffer): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message.readUInt8(at);
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number is too long');
  };
  const take = (length: number): Buffer => {
    if (length > message.length - at) throw new RangeError('a field goes beyond its message');
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    const kind = Number(tag & 7n);
    if (kind === 0) fields.push({ number, value: varint(), bytes: EMPTY });
    else if (kind === 1) fields.push({ number, value: take(8).readBigUInt64LE(), bytes: EMPTY });
    else if (kind === 2) fields.push({ number, value: 0n, bytes: take(Number(varint())) });
    else if (kind === 5) fields.push({ number, value: BigInt(take(4).readUInt32LE()), bytes: EMPTY });
    else throw new RangeError(`a field has the unknown kind ${kind}`);
  }
  return fields;
}

/** The last field of that number, as protobuf reads fields that are there once. */
export const lastOf = (fields: readonly WireField[], number: number): WireField | undefined =>
  fields.findLast((field) => field.number === number);

/** That field as text; empty when it is not there. */
export const textOf = (fields: readonly WireField[], number: number): string =>
  lastOf(fields, number)?.bytes.toString('utf8') ?? '';

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

/** A field that is a number, not below 0; nothing for 0, which is what an absent one is. */
export const numberField = (number: number, value: number | bigint): Buffer =>
  BigInt(value) === 0n ? EMPTY : Buffer.concat([varint(BigInt(number) << 3n), varint(BigInt(value))]);

/** A field of text, bytes or a message. */
export function bytesField(number: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint((BigInt(number) << 3n) | 2n), varint(BigInt(bytes.length)), bytes]);
}
