import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { networkError } from './errors.js';
import { exactly } from './exactly.js';
import type { Call, Exchange } from './exchange.js';
import type { Repository } from './reference.js';
import { type Answer, discard } from './transport.js';
import type { ByteStream, Descriptor } from './types.js';

/** A blob, in words for a message. */
export const blobName = (repository: Repository, digest: Digest): string =>
  `blob ${digest} of ${repository.host}/${repository.path}`;

const callFor = (
  method: Call['method'],
  action: Call['action'],
  repository: Repository,
  digest: Digest,
  signal: AbortSignal | undefined,
): Call => ({
  method,
  to: `${repository.path}/blobs/${digest}`,
  repository,
  what: blobName(repository, digest),
  action,
  signal,
});

/**
 * Asks for a blob: its size, which some proxies take out of the answer to a HEAD, or undefined when it is not there.
 * `action` is the right that is asked for: a push needs one token, not two.
 * @throws FactoryError
 */
export async function findBlob(
  exchange: Exchange,
  repository: Repository,
  digest: Digest,
  action: Call['action'],
  signal: AbortSignal | undefined,
): Promise<{ size: number | undefined } | undefined> {
  const call = callFor('HEAD', action, repository, digest, signal);
  const answer = await exchange.send(call);
  if (answer.status === 404) {
    discard(answer);
    return undefined;
  }
  if (answer.status !== 200) throw await exchange.failure(answer, call);
  discard(answer);
  const size = Number(answer.header('content-length') ?? Number.NaN);
  return { size: Number.isSafeInteger(size) && size >= 0 ? size : undefined };
}

/** The size of a blob there, undefined on 404. @throws FactoryError */
export async function headBlob(
  exchange: Exchange,
  repository: Repository,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const found = await findBlob(exchange, repository, digest, 'pull', signal);
  if (found === undefined || found.size !== undefined) return found?.size;
  throw new FactoryError(
    'RegistryBadAnswer',
    `${repository.host} does not say how large ${blobName(repository, digest)} is: look for a proxy in between`,
  );
}

/** Whether an answer holds the bytes from `from` to the end (RFC 9110, 14.4), as the size says. */
function isRest(answer: Answer, from: number, size: number): boolean {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.header('content-range')?.trim() ?? '');
  if (answer.status !== 206 || range === null) return false;
  const [, first, last, whole] = range;
  return Number(first) === from && Number(last) === size - 1 && (whole === '*' || Number(whole) === size);
}

/**
 * A stream of the bytes from `from` to the end. A server without ranges (RFC 9110, 14.2: it may ignore them) sends all,
 * and what comes before `from` is left out here.
 * @throws FactoryError `ImageNotFound`, `TransferCorrupt`, …
 */
export async function openBlob(
  exchange: Exchange,
  repository: Repository,
  descriptor: Descriptor,
  signal: AbortSignal | undefined,
  from = 0,
): Promise<ByteStream> {
  const { digest, size } = descriptor;
  const call: Call = { ...callFor('GET', 'pull', repository, digest, signal), streaming: true };
  let answer = await exchange.send(from === 0 ? call : { ...call, headers: { range: `bytes=${from}-` } });
  const rest = from > 0 && isRest(answer, from, size);
  if (!rest && (answer.status === 206 || answer.status === 416) && from > 0) {
    discard(answer); // a range that is refused, or another one than we asked for: all of it, then
    answer = await exchange.send(call);
  }
  if (answer.status !== 200 && !rest) throw await exchange.failure(answer, call);
  const coming = rest ? size - from : size;
  const length = answer.header('content-length');
  if (length !== undefined && Number(length) !== coming) {
    discard(answer);
    throw new FactoryError(
      'TransferCorrupt',
      `${call.what} should have ${coming} bytes${rest ? ` from ${from} on` : ''}, but ${answer.url.host} offers ${Number(length)}`,
    );
  }
  const { body } = answer;
  const bytes = exactly(body, {
    size: coming,
    skip: rest ? 0 : from,
    what: call.what,
    translate: (error) => (signal?.aborted ? signal.reason : networkError(error, answer.url.host)),
  });
  return {
    [Symbol.asyncIterator]: () => bytes,
    destroy: () => body.destroy(),
    unbounded: body.unbounded === true,
  };
}
