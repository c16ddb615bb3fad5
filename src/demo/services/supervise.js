// Plain JavaScript, because it is started as a program of its own, from `src` under Node 20 as well as from `dist`.
//
//   node supervise.js <directory to remove afterwards, or ''> <program> [arguments]
//
// Standard input is a pipe that only the parent holds. However the parent ends (return, exception, Ctrl-C, SIGKILL), the
// kernel closes it, and then the program ends too. No signal handler in the parent can promise that.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

const GRACE_MS = 5000;

const [removeAfter, program, ...args] = process.argv.slice(2);
if (program === undefined)
  throw new Error('usage: supervise.js <directory to remove or empty> <program> [arguments]');

const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
let stopping = false;

const stop = () => {
  if (stopping) return;
  stopping = true;
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
};

/** @param {number} code */
const finish = (code) => {
  if (removeAfter) rmSync(removeAfter, { recursive: true, force: true, maxRetries: 3 });
  // This process leads its group: what the program left behind ends here, and this process with it.
  if (stopping) process.kill(-process.pid, 'SIGKILL');
  process.exit(code);
};

process.stdin.on('close', stop).resume();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
// The parent reads this program's output; when the parent is gone, writing it must not end the supervisor first.
process.stderr.on('error', stop);

child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  finish(127);
});
child.on('exit', (code) => finish(code ?? 1));
