import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

/** One regular file of an archive. */
export interface TarFile {
  path: string;
  size: number;
  executable?: boolean;
  content: Buffer | (() => Readable);
}

/** Nothing that differs from machine to machine or day to day: the same files always give the same bytes. */
const header = ({ path, size, executable }: TarFile) => ({
  name: path,
  size,
  mode: executable === true ? 0o755 : 0o644,
  mtime: new Date(0),
  uid: 0,
  gid: 0,
});

/** An archive of files, one after the other, as it is read. It fails as the content of a file does. */
export function tarOf(files: readonly TarFile[]): Readable {
  const archive = pack();
  const write = async (): Promise<void> => {
    for (const file of files) {
      const { content } = file;
      await new Promise<void>((resolve, reject) => {
        const done = (error?: Error | null): void => (error ? reject(error) : resolve());
        if (Buffer.isBuffer(content)) archive.entry(header(file), content, done);
        else pipeline(content(), archive.entry(header(file), done)).catch(reject);
      });
    }
    archive.finalize();
  };
  write().catch((error: unknown) =>
    archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return Readable.from(archive, { objectMode: false });
}
