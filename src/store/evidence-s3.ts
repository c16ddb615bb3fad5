import { addAbortSignal, Readable } from 'node:stream';
import {
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type PutObjectCommandInput,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { awsHandler } from '../common/aws-handler.js';
import { FactoryError } from '../common/errors.js';
import { Connections } from '../common/network.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { digestOf } from '../registry/digest.js';
import type { EvidenceStore } from './evidence.js';
import { assertEvidenceKey, assertEvidencePrefix, isEvidenceKey } from './evidence-key.js';
import { type S3Attempt, s3Failure } from './s3-error.js';
import type { S3Settings } from './s3-settings.js';

/** Far over what Trivy says of the largest image; it is held in memory. */
const MAX_OBJECT_BYTES = 256 * 1024 * 1024;
const MAX_KEY_BYTES = 1024;
const CONNECT_MS = 10_000;
/** Without a byte in either direction. */
const IDLE_MS = 30_000;
const READ_OR_WRITE_MS = 5 * 60_000;
/** Writers of the same key at the same time make each other try again (409); each time one of them is done. */
const CONFLICTS = 10;

const CONTENT_TYPES: Record<string, string> = {
  csv: 'text/csv; charset=utf-8',
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  sarif: 'application/sarif+json',
  txt: 'text/plain; charset=utf-8',
};

export interface S3StoreOptions {
  /** Certificates to trust instead of Node's own, as `trusting` gives them. */
  ca?: readonly string[] | undefined;
  /** What one object may hold. */
  maxBytes?: number;
  /** How long one operation may take, in milliseconds. */
  withinMs?: number;
}

/**
 * The {@link EvidenceStore} in a bucket, of AWS or of any server that speaks its protocol. Every object goes with its
 * SHA-256, which the server checks. Call `close` when done.
 */
export class S3EvidenceStore implements EvidenceStore {
  private readonly client: S3Client;
  private readonly connections: Connections;
  private readonly root: string;

  constructor(
    private readonly settings: S3Settings,
    private readonly options: S3StoreOptions = {},
  ) {
    this.root = settings.prefix === '' ? '' : `${settings.prefix}/`;
    this.connections = new Connections({ ca: options.ca, connectMs: CONNECT_MS });
    // A server that is not AWS's has a region in name only, but the signature needs one.
    const region = settings.region ?? (settings.endpoint === null ? undefined : 'us-east-1');
    this.client = new S3Client({
      forcePathStyle: settings.pathStyle,
      ...(region === undefined ? {} : { region }),
      ...(settings.endpoint === null ? {} : { endpoint: settings.endpoint }),
      // The SDK's own three attempts bridge a blip; what lasts longer is Temporal's to retry.
      maxAttempts: 3,
      requestHandler: awsHandler(this.connections, IDLE_MS),
      // undici does not know it. A refusal comes after the body then, which for most of ours is one packet.
      expectContinueHeader: false,
    });
  }

  async get(key: string, signal?: AbortSignal): Promise<Buffer | undefined> {
    const at = this.addressOf(key);
    return this.attempt({ action: 'read', at: this.locate(key) }, signal, (abortSignal) =>
      this.read(at, key, abortSignal),
    );
  }

  async put(key: string, bytes: Buffer | string, signal?: AbortSignal): Promise<EvidenceRef> {
    const upload = this.uploadOf(key, bytes);
    await this.attempt({ action: 'written', at: this.locate(key) }, signal, (abortSignal) =>
      this.write(upload.input, abortSignal),
    );
    return upload.ref;
  }

  /**
   * Reads before it writes: that spares the upload, and a server that ignores `If-None-Match` (or refuses it, 501)
   * overwrites nothing that was there before. Only of two writers at the same moment the later one wins there.
   */
  async putOnce(key: string, bytes: Buffer | string, signal?: AbortSignal): Promise<EvidenceRef> {
    const upload = this.uploadOf(key, bytes);
    const at = this.addressOf(key);
    return this.attempt({ action: 'written', at: this.locate(key) }, signal, async (abortSignal) => {
      let IfNoneMatch: string | undefined = '*';
      for (let left = CONFLICTS; ; left -= 1) {
        const held = await this.read(at, key, abortSignal);
        if (held !== undefined) return { key, digest: digestOf(held) };
        try {
          await this.write({ ...upload.input, IfNoneMatch }, abortSignal);
          return upload.ref;
        } catch (error) {
          const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
          // 412: somebody was first. 409: somebody is at it, and S3 asks to try again.
          if (left === 0 || (status !== 412 && status !== 409 && status !== 501)) throw error;
          if (status === 501) {
            if (IfNoneMatch === undefined) throw error;
            IfNoneMatch = undefined;
          }
        }
      }
    });
  }

  async list(prefix: string, signal?: AbortSignal): Promise<string[]> {
    assertEvidencePrefix(prefix);
    const input = { Bucket: this.settings.bucket, Prefix: `${this.root}${prefix}` };
    const what: S3Attempt = { action: 'listed', at: `s3://${input.Bucket}/${input.Prefix}` };
    return this.attempt(what, signal, async (abortSignal) => {
      const keys: string[] = [];
      for await (const page of paginateListObjectsV2({ client: this.client }, input, { abortSignal }))
        for (const { Key } of page.Contents ?? [])
          if (Key?.startsWith(this.root)) keys.push(Key.slice(this.root.length));
      // Other things may lie in the bucket too; and a directory bucket lists in no order.
      return keys.filter((key) => key.startsWith(prefix) && isEvidenceKey(key)).toSorted();
    });
  }

  locate(key: string): string {
    const { Bucket, Key } = this.addressOf(key);
    return `s3://${Bucket}/${Key}`;
  }

  /**
   * Looks whether the bucket is there and lets us list in it: the smallest question that a bucket of that name, its
   * region and the credentials all have to be right for.
   *
   * @throws FactoryError as all operations
   */
  async check(signal?: AbortSignal): Promise<void> {
    const input = { Bucket: this.settings.bucket, Prefix: this.root, MaxKeys: 1 };
    await this.attempt({ action: 'listed', at: `s3://${input.Bucket}/${this.root}` }, signal, (abortSignal) =>
      this.client.send(new ListObjectsV2Command(input), { abortSignal }),
    );
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.client.destroy();
    await this.connections.close();
  }

  private addressOf(key: string): { Bucket: string; Key: string } {
    assertEvidenceKey(key);
    const Key = `${this.root}${key}`;
    if (Key.length > MAX_KEY_BYTES)
      throw new FactoryError(
        'InvalidInput',
        `${JSON.stringify(Key.slice(0, 100))}… is longer than the ${MAX_KEY_BYTES} bytes that S3 allows: set a shorter S3_PREFIX.`,
      );
    return { Bucket: this.settings.bucket, Key };
  }

  private uploadOf(key: string, content: Buffer | string) {
    const Body = Buffer.isBuffer(content) ? content : Buffer.from(content);
    if (Body.length > this.maxBytes) throw this.tooLarge(key, Body.length);
    const digest = digestOf(Body);
    const { encryption } = this.settings;
    const input = {
      ...this.addressOf(key),
      Body,
      ContentType: CONTENT_TYPES[key.slice(key.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
      ChecksumSHA256: Buffer.from(digest.slice('sha256:'.length), 'hex').toString('base64'),
      ...(encryption === null ? {} : { ServerSideEncryption: encryption.algorithm }),
      ...(encryption === null || encryption.kmsKeyId === null ? {} : { SSEKMSKeyId: encryption.kmsKeyId }),
    };
    return { input, ref: { key, digest } };
  }

  private async write(input: PutObjectCommandInput, abortSignal: AbortSignal): Promise<void> {
    const { ServerSideEncryption: done } = await this.client.send(new PutObjectCommand(input), {
      abortSignal,
    });
    const { ServerSideEncryption: wanted, Bucket, Key } = input;
    // AWS and others confirm it; versitygw was seen to take the wish and to leave the bytes as they are.
    if (wanted !== undefined && done === undefined)
      throw new FactoryError(
        'EvidenceRefused',
        `The S3 server does not say that it encrypted s3://${Bucket}/${Key}: unset S3_SERVER_SIDE_ENCRYPTION, and have the server encrypt by itself.`,
      );
  }

  private async read(
    at: { Bucket: string; Key: string },
    key: string,
    abortSignal: AbortSignal,
  ): Promise<Buffer | undefined> {
    try {
      const { Body, ContentLength = 0 } = await this.client.send(
        new GetObjectCommand({ ...at, ChecksumMode: 'ENABLED' }),
        { abortSignal },
      );
      if (!(Body instanceof Readable)) throw new Error('an answer without a stream'); // as it is in browsers
      addAbortSignal(abortSignal, Body);
      const chunks: Buffer[] = [];
      let size = ContentLength;
      if (size <= this.maxBytes) {
        size = 0;
        for await (const chunk of Body) {
          const bytes = Buffer.from(chunk);
          size += bytes.length;
          if (size > this.maxBytes) break;
          chunks.push(bytes);
        }
      }
      if (size > this.maxBytes) {
        Body.destroy();
        throw this.tooLarge(key, size);
      }
      return Buffer.concat(chunks);
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  }

  private get maxBytes(): number {
    return this.options.maxBytes ?? MAX_OBJECT_BYTES;
  }

  private tooLarge(key: string, bytes: number): FactoryError {
    return new FactoryError(
      'EvidenceUnavailable',
      `${this.locate(key)} has ${bytes} bytes, and evidence may have ${this.maxBytes}: see what wrote it.`,
    );
  }

  /** @throws FactoryError as {@link s3Failure} has them; the signal's reason when the caller gave up */
  private async attempt<T>(
    what: S3Attempt,
    signal: AbortSignal | undefined,
    operation: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const limit = AbortSignal.timeout(this.options.withinMs ?? READ_OR_WRITE_MS);
    try {
      return await operation(signal === undefined ? limit : AbortSignal.any([signal, limit]));
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof FactoryError) throw error;
      throw s3Failure(limit.aborted ? limit.reason : error, what, this.settings);
    }
  }
}
