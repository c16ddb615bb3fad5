import { FactoryError } from '../common/errors.js';
import type { AccountUpdateTask } from '../contract/activities.js';
import type { FieldUpdate } from '../contract/outcome.js';
import type { HarnessClient } from './client.js';
import { checkPullPath, DOCKER_CONNECTOR } from './pull-path.js';
import type { Connector } from './schemas.js';
import { plain } from './text.js';

/** Mostly all fields have the same fault; a message stays readable. */
const FAULTS_SHOWN = 5;

/**
 * Makes sure, before the account is touched, that builds will be able to pull what it is about to be set to: the
 * connector exists, is a Docker registry's, its test passes, and the path that Harness computes is the one we pushed to.
 *
 * @throws FactoryError `ConnectorUnusable` or `PullPathMismatch` with every fault and how to mend it.
 */
export async function checkAccount(
  { client, signal }: { client: HarnessClient; signal?: AbortSignal },
  task: Pick<AccountUpdateTask, 'connector' | 'registry' | 'updates'>,
): Promise<void> {
  const connector = await existing(client, task.connector, signal);
  const unusable: string[] = [];
  if (connector.type !== DOCKER_CONNECTOR) {
    unusable.push(
      `it is of type ${plain(connector.type, '', 60)} and not a Docker registry's, so Harness would not use it for the images`,
    );
  }
  const test = await client.testConnector(task.connector, signal);
  if (!test.ok)
    unusable.push(`its test fails in Harness (${test.reason}): mend its address or credentials there`);
  const wrong = pathFaults(connector, task);
  if (unusable.length > 0) {
    throw new FactoryError(
      'ConnectorUnusable',
      `The connector ${task.connector} can't be used: ${[...unusable, ...wrong].join('; ')}.`,
    );
  }
  if (wrong.length > 0) throw new FactoryError('PullPathMismatch', `${wrong.join('; ')}.`);
}

/** The updates whose fields do not have their value yet. Costs one request. */
export async function pendingUpdates(
  { client, signal }: { client: HarnessClient; signal?: AbortSignal },
  { infra, updates }: Pick<AccountUpdateTask, 'infra' | 'updates'>,
): Promise<FieldUpdate[]> {
  const now = await client.customerConfig(infra, { overridesOnly: true }, signal);
  return updates.filter(({ field, value }) => now[field] !== value);
}

async function existing(
  client: HarnessClient,
  reference: string,
  signal: AbortSignal | undefined,
): Promise<Connector> {
  try {
    return await client.connector(reference, signal);
  } catch (error) {
    if (!(error instanceof FactoryError) || error.type !== 'HarnessRejected') throw error;
    throw new FactoryError(
      'ConnectorUnusable',
      `The connector ${reference} can't be used: ${error.message} Create it in the account or name another one.`,
      { cause: error },
    );
  }
}

function pathFaults(
  connector: Connector,
  { updates, registry }: Pick<AccountUpdateTask, 'updates' | 'registry'>,
): string[] {
  const faults = updates.flatMap(({ field, value, target }) => {
    const fault = checkPullPath({ connector, value, target, registry });
    return fault === undefined ? [] : [`${field}: ${fault}`];
  });
  const more = faults.length - FAULTS_SHOWN;
  return more > 0 ? [...faults.slice(0, FAULTS_SHOWN), `and ${more} more fields likewise`] : faults;
}
