import type { Readable } from 'node:stream';
import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { networkError } from './errors.js';
import type { Call, Exchange } from './exchange.js';
import type { Repository } from './reference.js';
import { guarded } from './size-guard.js';
import { discard } from './transport.js';
import type { Descriptor } from './types.js';

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
 * The size of a blob there, undefined on 404. `action` is the right that is asked for: a push needs one token, not two.
 * @throws FactoryError
 */
export async function headBlob(
  exchange: Exchange,
  repository: Repository,
  digest: Digest,
  action: Call['action'],
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const call = callFor('HEAD', action, repository, digest, signal);
  const answer = await exchange.send(call);
  if (answer.status === 404) {
    discard(answer);
    return undefined;
  }
  if (answer.status !== 200) throw await exchange.failure(answer, call);
  discard(answer);
  const size = Number(answer.header('content-length') ?? Number.NaN);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new FactoryError('RegistryBadAnswer', `${repository.host} does not say how large ${call.what} is`);
}

/** A stream of exactly `descriptor.size` bytes. @throws FactoryError `ImageNotFound`, `TransferCorrupt`, … */
export async function openBlob(
  exchange: Exchange,
  repository: Repository,
  descriptor: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Readable> {
  const call = callFor('GET', 'pull', repository, descriptor.digest, signal);
  const answer = await exchange.send({ ...call, streaming: true });
  if (answer.status !== 200) throw await exchange.failure(answer, call);
  const length = answer.header('content-length');
  if (length !== undefined && Number(length) !== descriptor.size) {
    discard(answer);
    throw new FactoryError(
      'TransferCorrupt',
      `${call.what} should have ${descriptor.size} bytes, but ${answer.url.host} offers ${Number(length)}`,
    );
  }
  return guarded(answer.body, {
    size: descriptor.size,
    what: call.what,
    translate: (error) => {
      if (!signal?.aborted) return networkError(error, answer.url.host);
      return signal.reason instanceof Error ? signal.reason : error;
    },
  });
}
