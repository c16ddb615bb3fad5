import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Digest } from '../contract/brand.js';
import { hexOf } from '../registry/digest.js';
import type { Repository } from '../registry/reference.js';
import type { KeptSession, UploadSessions, UploadSlot } from '../registry/upload-sessions.js';
import { Claims } from './claims.js';
import { writerName } from './writers.js';

const keptSchema = z.object({ location: z.url(), minChunk: z.number().int().nonnegative() });

/**
 * {@link UploadSessions} beside the content: `sessions/<digest>-<hash of the repository's name>.json`. Only their user
 * may read them, because a Location may carry a signed state. What can't be read or written is as good as not there.
 */
export class FileUploadSessions implements UploadSessions {
  private constructor(
    private readonly directory: string,
    private readonly claims: Claims,
  ) {}

  /** @param directory the content store's. */
  static async open(directory: string): Promise<FileUploadSessions> {
    const sessions = join(directory, 'sessions');
    await mkdir(sessions, { recursive: true, mode: 0o700 });
    const claims = new Claims(sessions, 'json');
    await claims.sweep();
    return new FileUploadSessions(sessions, claims);
  }

  async claim(repository: Repository, digest: Digest): Promise<UploadSlot> {
    const name = createHash('sha256').update(`${repository.host}/${repository.path}`).digest('hex');
    const key = `${hexOf(digest)}-${name.slice(0, 16)}`;
    const path = await this.claims.claim(key).catch(() => undefined);
    const left = path === undefined ? undefined : await read(path);
    return {
      left,
      keep: async (session) => {
        if (path === undefined) return;
        await this.replace(path, JSON.stringify(session)).catch(() =>
          rm(path, { force: true }).catch(() => {}),
        );
      },
      close: async (leave) => {
        if (path === undefined) return;
        const ended = leave ? this.claims.release(path, key) : rm(path, { force: true });
        await ended.catch(() => {});
      },
    };
  }

  /** In one step: a worker killed while it wrote would leave half a note, and all that was sent would be sent again. */
  private async replace(path: string, text: string): Promise<void> {
    const temporary = join(this.directory, writerName());
    try {
      await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

async function read(path: string): Promise<KeptSession | undefined> {
  try {
    return keptSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}
