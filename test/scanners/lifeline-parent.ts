import { runProgram } from '../../src/common/process.js';

/** Runs a program that has a child and never ends; its pids go to the file that is named. */
const [file = ''] = process.argv.slice(2);
await runProgram('/bin/sh', ['-c', 'sleep 1000 & echo $$ $! > "$0.part" && mv "$0.part" "$0"; wait', file], {
  env: { PATH: process.env.PATH ?? '' },
  timeoutMs: 60_000,
  endsWithUs: true,
});
