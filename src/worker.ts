import './worker/compile-at-once.js';
import { explain } from './cli/exit.js';
import { runWorker } from './worker/run-worker.js';

try {
  await runWorker(process.env);
} catch (error) {
  const { code, message } = explain(error);
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}
