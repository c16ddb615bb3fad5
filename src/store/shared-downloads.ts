import type { Digest } from '../contract/brand.js';

export interface Listener {
  signal: AbortSignal;
  onBytes?: (received: number) => void;
}

interface Download {
  done: Promise<void>;
  abort: AbortController;
  listeners: Set<Listener>;
}

/** One download per digest, whoever asks: it goes on as long as one caller wants it, and stops with the last. */
export class SharedDownloads {
  private readonly running = new Map<Digest, Download>();

  /** Joins the download of the digest, or starts it. Rejects with the signal's reason when this caller gives up. */
  async join(
    digest: Digest,
    listener: Listener,
    start: (signal: AbortSignal, onBytes: (received: number) => void) => Promise<void>,
  ): Promise<void> {
    listener.signal.throwIfAborted();
    const download = this.running.get(digest) ?? this.start(digest, start);
    download.listeners.add(listener);
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

  private start(
    digest: Digest,
    run: (signal: AbortSignal, onBytes: (received: number) => void) => Promise<void>,
  ): Download {
    const abort = new AbortController();
    const listeners = new Set<Listener>();
    const tell = (received: number): void => {
      for (const { onBytes } of listeners) onBytes?.(received);
    };
    const done = run(abort.signal, tell).finally(() => {
      if (this.running.get(digest)?.abort === abort) this.running.delete(digest);
    });
    const download = { done, abort, listeners };
    this.running.set(digest, download);
    return download;
  }
}
