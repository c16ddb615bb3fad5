import type { Infra } from '../contract/run.js';
import { parseJson } from './errors.js';
import { type Endpoint, exchange } from './transport.js';

/**
 * Defaults and overrides of every infra in one question. Lists of pairs, since GraphQL has no open maps. No schema of
 * today has the field (docs/harness.md); variables have built-in types, so that it is the only thing a schema can lack.
 */
const CI_IMAGES = `query CiImages($accountId: String!, $infra: [String!]!) {
  ciExecutionImages(accountId: $accountId, infra: $infra) {
    infra
    defaults { field value }
    overrides { field value }
  }
}`;

/** A question beside the main one: a run must not lose the time of the answer over REST to it. */
const LONGEST_MS = 5_000;

/**
 * Asks the gateway's GraphQL endpoint for an account's images, once. Who has no such endpoint, or has one without CI
 * images, or one that does not take keys of this kind, is not at fault: REST decides, and says what is wrong.
 *
 * @returns `data` of the answer, still to be checked; undefined when GraphQL does not answer the question.
 * @throws only the signal's reason when it is aborted.
 */
export async function askGraphql(
  endpoint: Endpoint,
  question: { account: string; infra: readonly Infra[] },
  signal: AbortSignal | undefined,
): Promise<unknown> {
  // Loaded where it is used: 145 ms and 10 MB (measured), which most commands need not pay.
  const { GraphQLClient } = await import('graphql-request');
  const bounded = { ...endpoint, timeoutMs: Math.min(endpoint.timeoutMs, LONGEST_MS) };
  const client = new GraphQLClient(`${endpoint.gateway}/api/graphql`, {
    // Over our own exchange, so that the same bounds, proxy and authorities count, and no redirect takes the key along.
    fetch: async (_url, init) => {
      const { status, text } = await exchange(bounded, {
        method: 'POST',
        path: '/api/graphql',
        query: { accountId: question.account },
        body: parseJson(String(init?.body)),
        what: 'the images by GraphQL',
        signal,
      });
      return new Response(text, { status, headers: { 'content-type': 'application/json' } });
    },
  });
  try {
    const variables = { accountId: question.account, infra: question.infra };
    return await client.request<unknown>(CI_IMAGES, variables);
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}
