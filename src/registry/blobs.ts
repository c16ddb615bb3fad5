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
