import type { Digest } from '../contract/brand.js';

/** How a download goes. */
export interface Progress {
  /** The sum of bytes that came, with what was there before. */
  onBytes(received: number): void;
  /** So many bytes of the blob are in this file, which is renamed at the end. */
  onWritten(file: string, length: number): void;
}

export interface Listener extends Partial<Progress> {
  signal: AbortSignal;
}

interface Download {
  done: Promise<void>;
  abort: AbortController;
  listeners: Set<Listener>;
  /** What {@link Progress.onWritten} said last, for whoever joins later. */
  written: { file: string; length: number } | undefined;
}

/** One download per digest, whoever asks: it goes on as long as one caller wants it, and stops with the last. */
export class SharedDownloads {
  private readonly running = new Map<Digest, Download>();

  has(digest: Digest): boolean {
    return this.running.has(digest);
  }

  /** Joins the download of the digest, or starts it. Rejects with the signal's reason when this caller gives up. */
  async join(
    digest: Digest,
    listener: Listener,
    start: (signal: AbortSignal, progress: Progress) => Promise<void>,
  ): Promise<void> {
    listener.signal.throwIfAborted();
    const download = this.running.get(digest) ?? this.start(digest, start);
    download.listeners.add(listener);
    if (download.written !== undefined) listener.onWritten?.(download.written.file, download.written.length);
    return new Promise<void>((resolve, reject) => {
      const giveUp = (): void => reject(listener.signal.reason);
      const leave = (): void => {
        download.listeners.delete(listener);
        if (download.listeners.size > 0) {
          giveUp();
          return;
        }
        // Nobody may join what is being stopped, and the last one out waits until nothing is left of it.
        if (this.running.get(digest) === download) this.running.delete(digest);
        download.abort.abort(listener.signal.reason);
        download.done.then(giveUp, giveUp);
      };
      const settle = (end: () => void): void => {
        listener.signal.removeEventListener('abort', leave);
        download.listeners.delete(listener);
        end();
      };
      listener.signal.addEventListener('abort', leave, { once: true });
      download.done.then(
        () => settle(resolve),
        (error: unknown) => settle(() => (listener.signal.aborted ? giveUp() : reject(error))),
      );
    });
  }

  private start(digest: Digest, run: (signal: AbortSignal, progress: Progress) => Promise<void>): Download {
    const abort = new AbortController();
    const download: Download = { done: Promise.resolve(), abort, listeners: new Set(), written: undefined };
    download.done = run(abort.signal, {
      onBytes: (received) => {
        for (const { onBytes } of download.listeners) onBytes?.(received);
      },
      onWritten: (file, length) => {
        download.written = { file, length };
        for (const { onWritten } of download.listeners) onWritten?.(file, length);
      },
    }).finally(() => {
      if (this.running.get(digest) === download) this.running.delete(digest);
    });
    this.running.set(digest, download);
    return download;
  }
}
