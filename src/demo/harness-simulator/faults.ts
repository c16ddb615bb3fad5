import type { ServerResponse } from 'node:http';
import { type Answer, serverError } from './answers.js';

/** What goes wrong with one answer. The call itself is not carried out, unless it says `after`. */
export interface Fault {
  /** Only for calls whose path contains this. */
  path?: string;
  /** Carry the call out first: the change is made, and the answer is lost. */
  after?: boolean;
  how:
    | { kind: 'answer'; status: number; body?: string; headers?: Record<string, string> }
    /** Headers and the first half of a good answer, then the connection ends. */
    | { kind: 'half' }
    /** No answer at all; the connection stays open. */
    | { kind: 'hang' }
    | { kind: 'reset' };
}

/** Harness breaks, and says so as it does. */
export const BROKEN: Fault['how'] = {
  kind: 'answer',
  status: serverError().status,
  body: JSON.stringify(serverError().body),
};

/** Answers as the fault says. `good` is what would have been sent. */
export function sendFault(response: ServerResponse, { how }: Fault, good: Answer): void {
  switch (how.kind) {
    case 'answer':
      response.writeHead(how.status, { 'content-type': 'text/html', ...how.headers }).end(how.body ?? '');
      return;
    case 'half': {
      const whole = Buffer.from(JSON.stringify(good.body));
      response.writeHead(good.status, { 'content-type': 'application/json', 'content-length': whole.length });
      // Destroyed once the half is on its way, so that the client sees it and then the end.
      response.write(whole.subarray(0, whole.length / 2), () => response.destroy());
      return;
    }
    case 'hang':
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
  }
}
