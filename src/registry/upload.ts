import type { Readable } from 'node:stream';
import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { blobName } from './blobs.js';
import { isDigest } from './digest.js';
import { RegistryError } from './errors.js';
import type { Call, Exchange } from './exchange.js';
import type { Repository } from './reference.js';
import { guarded } from './size-guard.js';
import { type Answer, discard, resolveLocation } from './transport.js';
import type { Descriptor } from './types.js';

const callFor = (
  method: Call['method'],
  to: string | URL,
  repository: Repository,
  what: string,
  signal: AbortSignal | undefined,
): Call => ({ method, to, repository, what, action: 'push', signal });

/** Where an upload goes on: a session's `Location`. */
function sessionOf(answer: Answer, host: string): URL {
  const location = answer.header('location');
  if (location !== undefined) return resolveLocation(location, answer.url);
  throw new FactoryError('RegistryBadAnswer', `${host} opened an upload but does not say where`);
}

/** Opens an upload session (distribution-spec, "POST then PUT"). @throws FactoryError */
export async function openSession(
  exchange: Exchange,
  repository: Repository,
  what: string,
  signal: AbortSignal | undefined,
): Promise<URL> {
  const call = {
    ...callFor('POST', `${repository.path}/blobs/uploads/`, repository, what, signal),
    headers: { 'content-length': '0' },
  };
  const answer = await exchange.send(call);
  if (answer.status !== 202) throw await exchange.failure(answer, call);
  discard(answer);
  return sessionOf(answer, repository.host);
}

/** Gives a session up. A registry that can't (DELETE is optional) lets it run out. */
export async function abandonSession(
  exchange: Exchange,
  repository: Repository,
  session: URL,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    discard(await exchange.send(callFor('DELETE', session, repository, 'an upload', signal)));
  } catch {
    signal?.throwIfAborted();
  }
}

/**
 * Asks for a blob of another repository of the same host.
 * @returns `mounted`, the session that the registry opened instead, or undefined when it would not.
 */
export async function mount(
  exchange: Exchange,
  repository: Repository,
  digest: Digest,
  from: Repository,
  signal: AbortSignal | undefined,
): Promise<'mounted' | URL | undefined> {
  const query = new URLSearchParams({ mount: digest, from: from.path });
  const call: Call = {
    ...callFor(
      'POST',
      `${repository.path}/blobs/uploads/?${query}`,
      repository,
      blobName(repository, digest),
      signal,
    ),
    headers: { 'content-length': '0' },
    alsoPull: from,
  };
  let answer: Answer;
  try {
    answer = await exchange.send(call);
  } catch (error) {
    // No right to the other repository (a token for both may be refused as a whole): an upload may still be allowed.
    if (error instanceof FactoryError && error.type.startsWith('Registry') && !error.retryable)
      return undefined;
    throw error;
  }
  if (answer.status === 429 || answer.status >= 500) throw await exchange.failure(answer, call);
  discard(answer);
  if (answer.status === 201) {
    checkDigest(answer, repository, digest);
    return 'mounted';
  }
  return answer.status === 202 ? sessionOf(answer, repository.host) : undefined;
}

function checkDigest(answer: Answer, repository: Repository, digest: Digest): void {
  const said = answer.header('docker-content-digest');
  if (said !== undefined && isDigest(said) && said !== digest)
    throw new FactoryError(
      'TransferCorrupt',
      `${blobName(repository, digest)} arrived as ${said}: it is sent again`,
    );
}

export interface Upload {
  repository: Repository;
  descriptor: Descriptor;
  open: () => Readable;
  /** A session that is open already. */
  session?: URL | undefined;
  signal: AbortSignal | undefined;
  onBytes?: ((sent: number) => void) | undefined;
  /** The longest time without a byte sent, in milliseconds. */
  idleMs: number;
}

/**
 * Sends a blob in one PUT with its length. When the login or the session ran out on the way, it starts again once, with
 * a new session and a fresh stream: a stream that was read can't be sent again.
 */
export async function upload(exchange: Exchange, task: Upload): Promise<void> {
  const { repository, descriptor, signal } = task;
  const what = blobName(repository, descriptor.digest);
  const first = task.session ?? (await openSession(exchange, repository, what, signal));
  try {
    await send(exchange, task, first);
  } catch (error) {
    const again =
      error instanceof RegistryError &&
      (error.status === 401 || error.code === 'BLOB_UPLOAD_UNKNOWN' || error.code === 'BLOB_UPLOAD_INVALID');
    if (!again) throw error;
    await send(exchange, task, await openSession(exchange, repository, what, signal));
  }
}

async function send(exchange: Exchange, task: Upload, session: URL): Promise<void> {
  const { repository, descriptor, idleMs } = task;
  const what = blobName(repository, descriptor.digest);
  // Appended as text: the parser's own writing would change the escapes of a session that is signed.
  const url = new URL(
    `${session.href}${session.search === '' ? '?' : '&'}digest=${encodeURIComponent(descriptor.digest)}`,
  );
  const stalled = new AbortController();
  const watch = setTimeout(() => stalled.abort(new DOMException('no byte moved', 'TimeoutError')), idleMs);
  const source = task.open();
  let ourError: { error: unknown } | undefined;
  source.once('error', (error) => {
    ourError ??= { error };
  });
  const body = guarded(source, {
    size: descriptor.size,
    what,
    onBytes: (sent) => {
      // All is sent: from here the registry works, and the transport's own limit counts.
      if (sent < descriptor.size) watch.refresh();
      else clearTimeout(watch);
      try {
        task.onBytes?.(sent);
      } catch (error) {
        ourError ??= { error };
        throw error;
      }
    },
  });
  let bodyError: { error: unknown } | undefined;
  body.once('error', (error) => {
    bodyError ??= { error };
  });
  const call: Call = {
    ...callFor(
      'PUT',
      url,
      repository,
      what,
      AbortSignal.any([stalled.signal, ...(task.signal ? [task.signal] : [])]),
    ),
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(descriptor.size) },
    body,
    streaming: true,
    once: true,
  };
  try {
    const answer = await exchange.send(call);
    if (answer.status !== 201) throw await exchange.failure(answer, call);
    discard(answer);
    checkDigest(answer, repository, descriptor.digest);
  } catch (error) {
    task.signal?.throwIfAborted();
    if (stalled.signal.aborted)
      throw new FactoryError(
        'RegistryUnavailable',
        `${repository.host} took no byte of ${what} for ${idleMs / 1000} s: it is tried again`,
      );
    if (ourError !== undefined && !(error instanceof RegistryError)) throw ourError.error;
    if (bodyError?.error instanceof FactoryError) throw bodyError.error;
    throw error;
  } finally {
    clearTimeout(watch);
    source.on('error', () => {});
    body.on('error', () => {});
    source.destroy();
    body.destroy();
  }
}
