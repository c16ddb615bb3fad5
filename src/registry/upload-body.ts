import { Readable } from 'node:stream';
import { FactoryError } from '../common/errors.js';
import { blobName } from './blobs.js';
import { RegistryError } from './errors.js';
import { exactly } from './exactly.js';
import type { Call, Exchange } from './exchange.js';
import type { Repository } from './reference.js';
import { uploadCall } from './session.js';
import { type Answer, discard } from './transport.js';
import type { BlobPart, Descriptor } from './types.js';

/**
 * The bytes to be sent did not come. What the source said of that (its status, its code) is not to be taken for the word of
 * the registry that we send to, so the error is wrapped until all that is decided by that word has been.
 */
export class BodyFailed extends Error {
  constructor(readonly error: unknown) {
    super('the bytes to be sent did not come');
  }
}

/** A blob that is to be sent. */
export interface Upload {
  repository: Repository;
  descriptor: Descriptor;
  open: (part?: BlobPart) => AsyncIterable<Buffer>;
  signal: AbortSignal | undefined;
  onBytes?: ((sent: number) => void) | undefined;
  /** The longest time without a byte sent, in milliseconds. */
  idleMs: number;
}

export interface BodyRequest {
  method: 'PUT' | 'PATCH';
  url: URL;
  part: BlobPart;
  headers?: Record<string, string>;
  /** The status that means that all is well. */
  expected: number;
}

/**
 * Sends a part of a blob in one request. The answer's body is gone already.
 * @throws FactoryError; {@link BodyFailed} with the stream's own error; the signal's reason if it fired
 */
export async function sendBody(exchange: Exchange, task: Upload, request: BodyRequest): Promise<Answer> {
  const { repository, descriptor, idleMs } = task;
  const { part, url } = request;
  const what = blobName(repository, descriptor.digest);
  const source = part.length === descriptor.size ? task.open() : task.open(part);
  const stalled = new AbortController();
  let watch: NodeJS.Timeout | undefined;
  let ourError: { error: unknown } | undefined;
  // A file that can't be opened says so before anybody reads; unheard, it would end the process.
  if (source instanceof Readable)
    source.on('error', (error) => {
      ourError ??= { error };
    });
  const count = exchange.counter(url.host);
  let counted = 0;
  const body = exactly(source, {
    size: part.length,
    what,
    onBytes: (sent) => {
      count(sent - counted);
      counted = sent;
      task.onBytes?.(part.from + sent);
    },
    translate: (error) => {
      ourError ??= { error };
      return error;
    },
  });
  // Only while a piece is with the registry: how long the source may take is the source's matter. When all is sent, the
  // registry works, and the transport's own limit counts.
  async function* watched(): AsyncGenerator<Buffer> {
    for await (const piece of body) {
      if (counted < part.length)
        watch = setTimeout(() => stalled.abort(new DOMException('no byte moved', 'TimeoutError')), idleMs);
      yield piece;
      clearTimeout(watch);
    }
  }
  const signal = AbortSignal.any([stalled.signal, ...(task.signal ? [task.signal] : [])]);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(part.length) };
  const call: Call = {
    ...uploadCall(request.method, url, repository, what, signal),
    headers: { ...headers, ...request.headers },
    body: watched(),
    streaming: true,
    once: true,
  };
  try {
    const answer = await exchange.send(call);
    if (answer.status !== request.expected) throw await exchange.failure(answer, call);
    discard(answer);
    return answer;
  } catch (error) {
    task.signal?.throwIfAborted();
    if (stalled.signal.aborted)
      throw new FactoryError(
        'RegistryUnavailable',
        `${repository.host} took no byte of ${what} for ${idleMs / 1000} s: it is tried again`,
      );
    if (ourError !== undefined && (error === ourError.error || !(error instanceof RegistryError)))
      throw new BodyFailed(ourError.error);
    throw error;
  } finally {
    clearTimeout(watch);
    // Ends it also where nobody has begun to read it. Not waited for: it may be waiting for bytes that don't come.
    void body.return(undefined).catch(() => {});
    if (source instanceof Readable) source.destroy();
  }
}
