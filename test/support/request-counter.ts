import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { onTestFinished } from 'vitest';

/** One request, as undici put it on the wire. */
export interface Sent {
  host: string;
  method: string;
  path: string;
}

/** Notes each HTTP request of this process until the test ends, without asking the code that is tested. */
export function watchRequests(): Sent[] {
  const sent: Sent[] = [];
  const note = (message: unknown): void => {
    // undici, DiagnosticsChannel.md: `undici:request:create` has the request.
    const { request } = message as { request: { origin: string | URL; method: string; path: string } };
    sent.push({ host: new URL(request.origin).host, method: request.method, path: request.path });
  };
  subscribe('undici:request:create', note);
  onTestFinished(() => {
    unsubscribe('undici:request:create', note);
  });
  return sent;
}
