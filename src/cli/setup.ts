import type { Command } from 'commander';
import { ensureSearchAttributes } from '../temporal/search-attributes.js';
import { withTemporal } from './connection.js';
import { processTerminal } from './terminal.js';

/** `image-factory setup`: makes a namespace ready for runs. */
export function addSetupCommand(program: Command): void {
  program
    .command('setup')
    .description('register the search attributes that runs set in the Temporal namespace (workers do it too)')
    .option('--json', 'print what was registered as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const terminal = processTerminal();
      await withTemporal(async ({ client }) => {
        const { namespace } = client.options;
        const { registered } = await ensureSearchAttributes(client.connection, namespace);
        if (json) return terminal.json({ namespace, registered });
        terminal.line(
          registered.length > 0
            ? `registered in namespace ${namespace}: ${registered.join(', ')}`
            : `namespace ${namespace} has all that runs need`,
        );
      });
    });
}
