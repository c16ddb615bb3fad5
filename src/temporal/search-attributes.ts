import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, isGrpcServiceError } from '@temporalio/client';
import type { SearchAttributeType } from '@temporalio/common';
import { FactoryError, messageOf } from '../common/errors.js';
import { SEARCH_ATTRIBUTES } from '../contract/search-attributes.js';

/** gRPC's codes for what we tell apart (https://grpc.io/docs/guides/status-codes). */
const GRPC = { invalidArgument: 3, alreadyExists: 6, permissionDenied: 7, unimplemented: 12 } as const;

/** temporal.api.enums.v1.IndexedValueType */
const INDEXED_VALUE_TYPE: Record<SearchAttributeType, number> = {
  TEXT: 1,
  KEYWORD: 2,
  INT: 3,
  DOUBLE: 4,
  BOOL: 5,
  DATETIME: 6,
  KEYWORD_LIST: 7,
};

/** The server's processes read their list anew every few seconds, with Elasticsearch up to a minute. */
const USABLE_WITHIN_MS = 90_000;
const LOOK_EVERY_MS = 250;

/**
 * Registers the search attributes that our workflows set, and waits until they can be used. Safe side by side.
 *
 * @returns the names that were missing
 * @throws FactoryError `SearchAttributesMissing` with the command to run when this client may not register them, or one
 *   exists with another type; `TemporalUnavailable` when they do not become usable
 */
export async function ensureSearchAttributes(
  connection: Pick<Connection, 'operatorService' | 'workflowService'>,
  namespace: string,
): Promise<{ registered: string[] }> {
  const missing = await missingAttributes(connection, namespace);
  if (missing.length === 0) return { registered: [] };
  try {
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(({ name, type }) => [name, INDEXED_VALUE_TYPE[type]])),
    });
  } catch (error) {
    if (isRefusal(error)) throw notAllowed(namespace, error);
    // Another worker was faster.
    if (!hasCode(error, GRPC.alreadyExists)) throw unavailable(namespace, error);
  }
  await untilUsable(connection, namespace);
  return { registered: missing.map(({ name }) => name) };
}

/** What the namespace lacks. Where listing is not allowed (Temporal Cloud), a query tells whether they are there. */
async function missingAttributes(
  connection: Pick<Connection, 'operatorService' | 'workflowService'>,
  namespace: string,
): Promise<(typeof SEARCH_ATTRIBUTES)[number][]> {
  let types: Record<string, unknown>;
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    types = customAttributes ?? {};
  } catch (error) {
    if (!isRefusal(error)) throw unavailable(namespace, error);
    if (await usable(connection, namespace)) return [];
    throw notAllowed(namespace, error);
  }
  return SEARCH_ATTRIBUTES.filter(({ name, type }) => {
    if (types[name] === undefined) return true;
    if (types[name] === INDEXED_VALUE_TYPE[type]) return false;
    throw new FactoryError(
      'SearchAttributesMissing',
      `the namespace ${namespace} has the search attribute ${name} with another type than Keyword: use another namespace, or remove it there (temporal operator search-attribute remove --namespace ${namespace} --name ${name}) and run setup again`,
    );
  });
}

/** They are usable when a query may name them. */
async function usable(
  { workflowService }: Pick<Connection, 'workflowService'>,
  namespace: string,
): Promise<boolean> {
  const query = SEARCH_ATTRIBUTES.map(({ name }) => `${name} = 'none'`).join(' AND ');
  try {
    await workflowService.countWorkflowExecutions({ namespace, query });
    return true;
  } catch (error) {
    if (hasCode(error, GRPC.invalidArgument)) return false;
    throw unavailable(namespace, error);
  }
}

async function untilUsable(
  connection: Pick<Connection, 'workflowService'>,
  namespace: string,
): Promise<void> {
  const end = Date.now() + USABLE_WITHIN_MS;
  while (!(await usable(connection, namespace))) {
    if (Date.now() > end) {
      throw new FactoryError(
        'TemporalUnavailable',
        `the search attributes of namespace ${namespace} were registered and can't be used after ${USABLE_WITHIN_MS / 1000} s: wait, then start again`,
      );
    }
    await delay(LOOK_EVERY_MS); // there is no event for it
  }
}

const hasCode = (error: unknown, code: number): boolean => isGrpcServiceError(error) && error.code === code;

const isRefusal = (error: unknown): boolean =>
  hasCode(error, GRPC.permissionDenied) || hasCode(error, GRPC.unimplemented);

const unavailable = (namespace: string, cause: unknown): FactoryError =>
  new FactoryError(
    'TemporalUnavailable',
    `the search attributes of namespace ${namespace} can't be looked at: ${messageOf(cause)}. Set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE to a server and namespace that this client may use`,
    { cause },
  );

function notAllowed(namespace: string, cause: unknown): FactoryError {
  const names = SEARCH_ATTRIBUTES.map(({ name }) => `--name ${name}`).join(' ');
  const pairs = SEARCH_ATTRIBUTES.map(({ name }) => `--search-attribute ${name}=Keyword`).join(' ');
  return new FactoryError(
    'SearchAttributesMissing',
    `this client may not register search attributes in namespace ${namespace}; ask its operator to run: temporal operator search-attribute create --namespace ${namespace} ${names} --type Keyword (on Temporal Cloud: tcld namespace search-attributes add --namespace ${namespace} ${pairs})`,
    { cause },
  );
}
