import type { Command } from 'commander';

/** `image-factory worker`: does the work until it is told to stop. */
export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run a worker; its environment holds the secrets and the limits')
    .action(async () => {
      // Loaded only here: the SDK's native core is large, and the other commands do without.
      const { runWorker } = await import('../worker/run-worker.js');
      await runWorker(process.env);
    });
}
