import { connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { collect } from '../../common/streams.js';
import { platformOf } from '../../registry/platform.js';
import { lastOf, textOf, wireFields } from './protobuf.js';

const ANSWERS_WITHIN_MS = 15_000;
const MAX_ANSWER_BYTES = 1 << 20;

/**
 * The platforms that BuildKit's workers build for, emulated ones included: the question that `docker buildx inspect`
 * asks, `moby.buildkit.v1.Control/ListWorkers`, as gRPC on a connection that the daemon has switched to HTTP/2.
 *
 * @throws Error of any kind when it can't be asked
 */
export async function workerPlatforms(connection: Duplex): Promise<string[]> {
  const session = connect('http://buildkit', { createConnection: () => connection });
  try {
    const failed = new Promise<never>((_, reject) => {
      session.once('error', reject);
    });
    const stream = session.request({
      ':method': 'POST',
      ':path': '/moby.buildkit.v1.Control/ListWorkers',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.setTimeout(ANSWERS_WITHIN_MS, () => stream.destroy(new Error('no answer in time')));
    // A message of gRPC: whether it is compressed, its length, and here no field.
    stream.end(Buffer.alloc(5));
    return readWorkers(messageOf(await Promise.race([failed, collect(stream, MAX_ANSWER_BYTES)])));
  } finally {
    session.destroy();
    connection.destroy();
  }
}

function messageOf(answer: Buffer): Buffer {
  if (answer.length < 5 || answer[0] !== 0) throw new Error('an answer that is no message of gRPC');
  const length = answer.readUInt32BE(1);
  if (length !== answer.length - 5) throw new Error('an answer that was cut');
  return answer.subarray(5);
}

/** `ListWorkersResponse`: records 1, their platforms 3 (buildkit, worker.proto), of architecture 1, OS 2, variant 3 (ops.proto). */
function readWorkers(message: Buffer): string[] {
  const platforms = wireFields(message)
    .filter(({ number }) => number === 1)
    .flatMap(({ bytes }) => wireFields(bytes).filter(({ number }) => number === 3))
    .map(({ bytes }) => {
      const fields = wireFields(bytes);
      return platformOf({
        architecture: textOf(fields, 1),
        os: textOf(fields, 2),
        variant: lastOf(fields, 3)?.bytes.toString('utf8') ?? null,
      });
    });
  return [...new Set(platforms)];
}
