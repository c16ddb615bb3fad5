// @ts-check
// The thread behind hashing.ts. JavaScript, because a thread starts from a file that Node reads as it is: no loader of
// sources has to start with it.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

/** One buffer for all that passes: nothing is left for V8 to collect. */
const buffer = Buffer.allocUnsafe(1024 * 1024);

/** @typedef {{ hash: import('node:crypto').Hash, fd: number, at: number, error?: string }} Hashing */
/** @type {Map<number, Hashing>} */
const running = new Map();

/** @param {Hashing} hashing @param {number} until */
function advance(hashing, until) {
  while (hashing.at < until) {
    const length = readSync(hashing.fd, buffer, 0, Math.min(buffer.length, until - hashing.at), hashing.at);
    if (length === 0) throw new Error('a file became shorter while it was hashed');
    hashing.hash.update(buffer.subarray(0, length));
    hashing.at += length;
  }
}

/** @param {number} id */
function close(id) {
  const hashing = running.get(id);
  running.delete(id);
  if (hashing !== undefined) closeSync(hashing.fd);
}

/** @param {import('./hashing.js').HashRequest} request */
function handle({ id, open, until, end }) {
  if (open !== undefined) running.set(id, { hash: createHash('sha256'), fd: openSync(open, 'r'), at: 0 });
  const hashing = running.get(id);
  if (hashing !== undefined && until !== undefined) advance(hashing, until);
  if (end === undefined) return;
  if (end === 'digest') parentPort?.postMessage({ id, hex: hashing?.hash.digest('hex') });
  close(id);
}

parentPort?.on('message', (/** @type {import('./hashing.js').HashRequest} */ request) => {
  try {
    handle(request);
  } catch (error) {
    close(request.id);
    // Of an error only name, message and stack would get across.
    const { message, code } = /** @type {NodeJS.ErrnoException} */ (error);
    parentPort?.postMessage({ id: request.id, failure: { message, code } });
  }
});
