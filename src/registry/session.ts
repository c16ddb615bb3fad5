import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { blobName } from './blobs.js';
import { isDigest } from './digest.js';
import type { Call, Exchange } from './exchange.js';
import type { Repository } from './reference.js';
import { type Answer, discard, resolveLocation } from './transport.js';

/** An upload that a registry waits for. */
export interface Session {
  url: URL;
  /** `OCI-Chunk-Min-Length` (distribution-spec, "Pushing a blob in chunks"), 0 when it does not say. */
  minChunk: number;
}

export const uploadCall = (
  method: Call['method'],
  to: string | URL,
  repository: Repository,
  what: string,
  signal: AbortSignal | undefined,
): Call => ({ method, to, repository, what, action: 'push', signal });

/** Where an upload goes on: a session's `Location`. */
function sessionOf(answer: Answer, host: string): Session {
  const location = answer.header('location');
  const minChunk = Number(answer.header('oci-chunk-min-length') ?? 0);
  if (location === undefined)
    throw new FactoryError('RegistryBadAnswer', `${host} opened an upload but does not say where`);
  return {
    url: resolveLocation(location, answer.url),
    minChunk: Number.isSafeInteger(minChunk) && minChunk > 0 ? minChunk : 0,
  };
}

/** Opens an upload session (distribution-spec, "POST then PUT"). @throws FactoryError */
export async function openSession(
  exchange: Exchange,
  repository: Repository,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Session> {
  const call = {
    ...uploadCall('POST', `${repository.path}/blobs/uploads/`, repository, what, signal),
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
    discard(await exchange.send(uploadCall('DELETE', session, repository, 'an upload', signal)));
  } catch {
    signal?.throwIfAborted();
  }
}

/** How many bytes are there by a `Range` of an upload's answer; some write `bytes=` before it. */
export function bytesThere(answer: Answer): number | undefined {
  const last = /^(?:bytes[= ])?0-(\d+)$/.exec(answer.header('range')?.trim() ?? '')?.[1];
  if (last === undefined) return undefined;
  return last === '0' ? 0 : Number(last) + 1; // distribution says `0-0` when nothing is there
}

/**
 * Asks how far a session got (distribution-spec, "To get the current status after a 416 error").
 * @returns undefined when the registry does not know it any more, or does not say.
 * @throws FactoryError when it can't be asked now
 */
export async function statusOf(
  exchange: Exchange,
  repository: Repository,
  session: URL,
  what: string,
  signal: AbortSignal | undefined,
): Promise<{ url: URL; offset: number } | undefined> {
  const call = uploadCall('GET', session, repository, what, signal);
  const answer = await exchange.send(call);
  if (answer.status === 429 || answer.status >= 500) throw await exchange.failure(answer, call);
  discard(answer);
  const offset = bytesThere(answer);
  if (answer.status !== 204 || offset === undefined) return undefined;
  const location = answer.header('location');
  return { url: location === undefined ? session : resolveLocation(location, answer.url), offset };
}

/**
 * Asks for a blob of another repository of the same host, or whether this one has it.
 * @returns `mounted`, the session that the registry opened instead, or undefined when it would not.
 */
export async function mount(
  exchange: Exchange,
  repository: Repository,
  digest: Digest,
  from: Repository,
  signal: AbortSignal | undefined,
): Promise<'mounted' | Session | undefined> {
  const query = new URLSearchParams({ mount: digest, from: from.path });
  const to = `${repository.path}/blobs/uploads/?${query}`;
  const call: Call = {
    ...uploadCall('POST', to, repository, blobName(repository, digest), signal),
    headers: { 'content-length': '0' },
    alsoPull: from.path === repository.path ? undefined : from,
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

/** @throws FactoryError `TransferCorrupt` when the registry names another digest than was meant */
export function checkDigest(answer: Answer, repository: Repository, digest: Digest): void {
  const said = answer.header('docker-content-digest');
  if (said !== undefined && isDigest(said) && said !== digest)
    throw new FactoryError(
      'TransferCorrupt',
      `${blobName(repository, digest)} arrived as ${said}: it is sent again`,
    );
}

/** Where a session ends. Appended as text: the parser's own writing would change the escapes of one that is signed. */
export const endOf = (session: URL, digest: Digest): URL =>
  new URL(`${session.href}${session.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`);
