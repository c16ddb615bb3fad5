import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import type { Digest, Reference } from '../contract/brand.js';
import { digestOf, isDigest } from './digest.js';
import { foreignLayersRefused, type RegistryError } from './errors.js';
import type { Call, Exchange } from './exchange.js';
import { parseManifest } from './manifest.js';
import {
  ACCEPT,
  bareType,
  isImageType,
  isIndexType,
  isSchema1Type,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.js';
import { identifierOf, type ParsedReference, splitReference } from './reference.js';
import { type Answer, discard, readBody } from './transport.js';
import type { Descriptor, RawManifest } from './types.js';

/** distribution's own limit, and what the OCI spec tells registries to accept at least. */
const MANIFEST_LIMIT = 4 * 1024 * 1024;

const documentSchema = z.object({
  schemaVersion: z.number().optional().catch(undefined),
  mediaType: z.string().optional().catch(undefined),
  manifests: z.unknown().optional(),
  config: z.unknown().optional(),
  layers: z.unknown().optional(),
});

/** Manifests and indexes, as bytes. */
export class Manifests {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  async head(reference: Reference, signal: AbortSignal | undefined): Promise<Descriptor | undefined> {
    const parsed = splitReference(reference);
    const call = callFor('HEAD', reference, parsed, 'pull', signal);
    const answer = await this.#exchange.send(call);
    if (answer.status === 404) {
      discard(answer);
      return undefined;
    }
    // Some registries know no HEAD here (405), or do not say all that we need: ask for the thing itself.
    if (answer.status !== 200 && answer.status !== 405) throw await this.#exchange.failure(answer, call);
    discard(answer);
    const mediaType = bareType(answer.header('content-type'));
    if (isSchema1Type(mediaType)) throw schema1(reference);
    const digest = answer.header('docker-content-digest');
    const size = Number(answer.header('content-length') ?? Number.NaN);
    if (
      answer.status === 200 &&
      isImageType(mediaType) &&
      digest !== undefined &&
      isDigest(digest) &&
      Number.isSafeInteger(size) &&
      size > 0
    ) {
      if (parsed.digest !== null && parsed.digest !== digest) throw wrongDigest(reference, digest);
      return { mediaType, digest, size };
    }
    return (await this.get(reference, signal))?.descriptor;
  }

  async get(reference: Reference, signal: AbortSignal | undefined): Promise<RawManifest | undefined> {
    const parsed = splitReference(reference);
    const call = callFor('GET', reference, parsed, 'pull', signal);
    const answer = await this.#exchange.send(call);
    if (answer.status === 404) {
      discard(answer);
      return undefined;
    }
    if (answer.status !== 200) throw await this.#exchange.failure(answer, call);
    const bytes = await readBody(answer, MANIFEST_LIMIT, signal);
    if (bytes === undefined)
      throw new FactoryError(
        'ImageUnsupported',
        `the manifest of ${reference} is larger than 4 MiB: no registry may be expected to take it`,
      );
    const mediaType = typeOf(answer, bytes, reference);
    const digest = digestOf(bytes);
    if (parsed.digest !== null && parsed.digest !== digest) throw wrongDigest(reference, digest);
    const said = answer.header('docker-content-digest');
    if (said !== undefined && isDigest(said) && said !== digest) throw wrongDigest(reference, digest);
    return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
  }

  async put(reference: Reference, manifest: RawManifest, signal: AbortSignal | undefined): Promise<void> {
    const parsed = splitReference(reference);
    const { mediaType } = manifest.descriptor;
    const digest = digestOf(manifest.bytes);
    if (digest !== manifest.descriptor.digest || (parsed.digest !== null && parsed.digest !== digest))
      throw wrongDigest(reference, digest);
    const call = callFor('PUT', reference, parsed, 'push', signal);
    const answer = await this.#exchange.send({
      ...call,
      headers: { 'content-type': mediaType },
      body: manifest.bytes,
    });
    if (answer.status < 200 || answer.status >= 300) {
      const failure = await this.#exchange.failure(answer, call);
      // ECR refuses a tag also with what it already holds (aws/containers-roadmap#2380).
      const held = failure.type === 'TagImmutable' ? await this.head(reference, signal) : undefined;
      if (held?.digest === digest) return;
      throw lacksForeign(failure, manifest, reference)
        ? foreignLayersRefused(parsed.host, reference)
        : failure;
    }
    discard(answer);
    const said = answer.header('docker-content-digest');
    if (said !== undefined && isDigest(said) && said !== digest) throw wrongDigest(reference, said);
  }
}

/** Whether all that a registry lacks for a manifest are layers that must not be distributed. */
function lacksForeign({ lacks }: RegistryError, { bytes }: RawManifest, reference: Reference): boolean {
  if (lacks.length === 0) return false;
  const parsed = parseManifest(bytes, reference);
  const layers = parsed.kind === 'manifest' ? parsed.layers : [];
  return lacks.every((digest) => layers.some((layer) => layer.foreign && layer.digest === digest));
}

const callFor = (
  method: Call['method'],
  reference: Reference,
  parsed: ParsedReference,
  action: Call['action'],
  signal: AbortSignal | undefined,
): Call => ({
  method,
  to: `${parsed.path}/manifests/${identifierOf(parsed)}`,
  repository: parsed,
  what: reference,
  action,
  headers: { accept: ACCEPT },
  signal,
});

/** The media type, from the header or else from the document; they must not contradict each other (CVE-2021-41190). */
function typeOf(answer: Answer, bytes: Buffer, reference: Reference): string {
  const header = bareType(answer.header('content-type'));
  if (isSchema1Type(header)) throw schema1(reference);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    json = undefined;
  }
  const document = documentSchema.safeParse(json);
  if (!document.success)
    throw new FactoryError(
      'RegistryBadAnswer',
      `${answer.url.host} answered the pull of ${reference} with something that is no manifest: look for a proxy or login page in between`,
    );
  const { schemaVersion, mediaType, manifests, config, layers } = document.data;
  if (schemaVersion === 1) throw schema1(reference);
  const isIndex = manifests !== undefined;
  // OCI documents need not name their own type; then their form says which of the two they are.
  const found = [
    header,
    mediaType ?? '',
    isIndex ? OCI_INDEX : config === undefined ? '' : OCI_MANIFEST,
  ].find(isImageType);
  if (found === undefined)
    throw new FactoryError('ImageUnsupported', `${reference} is no image: neither manifest nor index`);
  const contradicts =
    (mediaType !== undefined && mediaType !== found) ||
    (isIndex && (config !== undefined || layers !== undefined)) ||
    isIndex !== isIndexType(found);
  if (contradicts)
    throw new FactoryError(
      'ImageUnsupported',
      `${reference} can be read as an index and as an image, or names two types: such a document is not mirrored`,
    );
  return found;
}

const wrongDigest = (reference: Reference, found: Digest): FactoryError =>
  new FactoryError(
    'TransferCorrupt',
    `the manifest of ${reference} turned out as ${found}: it is tried again`,
  );

const schema1 = (reference: Reference): FactoryError =>
  new FactoryError(
    'ImageUnsupported',
    `${reference} is in Docker's schema 1, which was given up in 2017 and has nothing to label: push it again with a current Docker`,
  );
