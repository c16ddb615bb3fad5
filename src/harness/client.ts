import type { z } from 'zod';
import { Connections } from '../common/network.js';
import type { Infra } from '../contract/run.js';
import { accountConnectorId } from './connector-id.js';
import { badAnswer } from './errors.js';
import { askGraphql } from './graphql.js';
import { callHarness } from './rest.js';
import {
  acceptedSchema,
  type Connector,
  connectorSchema,
  connectorTestSchema,
  type FieldMap,
  fieldMapSchema,
  graphqlImagesSchema,
  overridesSchema,
} from './schemas.js';
import { plain } from './text.js';
import type { Endpoint, HarnessCall } from './transport.js';

/** Under the 30 s that an activity of one question has. */
const DEFAULT_TIMEOUT_MS = 20_000;
/** Harness may hand the test to a delegate, which first has to pick it up. */
const CONNECTOR_TEST_MS = 60_000;

export interface HarnessClientOptions {
  /** Normalised gateway URL, as `normaliseGateway` gives it. */
  gateway: string;
  account: string;
  /** Whether the account's GraphQL is asked first where there is a choice; off. */
  graphql?: boolean | undefined;
  /** Asked at every call, so that a rotated secret is picked up. */
  apiKey: () => Promise<string>;
  /** Shared by the clients of a worker; its own when absent. */
  connections?: Connections | undefined;
  /** For one call as a whole, but a connector's test; 20 s. */
  timeoutMs?: number;
  /** For a connector's test; 60 s. */
  connectorTestMs?: number;
}

/** What Harness says after trying a connector. */
export type ConnectorTest = { ok: true } | { ok: false; reason: string };

/**
 * The CI images of one Harness account. Every method is one request, over REST but where its name says otherwise,
 * bounded in time and size, throws `FactoryError` of a `Harness…` type, and may be repeated: writes set absolute values.
 *
 * There is no method for DELETE on execution-config on purpose: it wipes the overrides of both infras at once.
 */
export class HarnessClient {
  readonly account: string;
  readonly #gateway: string;
  readonly #graphql: boolean;
  readonly #apiKey: () => Promise<string>;
  readonly #connections: Connections;
  readonly #timeoutMs: number;
  readonly #connectorTestMs: number;

  constructor(options: HarnessClientOptions) {
    this.account = options.account;
    this.#gateway = options.gateway;
    this.#graphql = options.graphql ?? false;
    this.#apiKey = options.apiKey;
    this.#connections = options.connections ?? new Connections();
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#connectorTestMs = options.connectorTestMs ?? CONNECTOR_TEST_MS;
  }

  /** Host and port, for messages. */
  get host(): string {
    return new URL(this.#gateway).host;
  }

  /**
   * Defaults and overrides of all infras in one request, by GraphQL.
   *
   * @returns undefined when the account is not to be asked so, or its GraphQL has no CI images; `HarnessClient`'s other
   *   reads have them then.
   */
  async imagesByGraphql(
    infra: readonly Infra[],
    signal?: AbortSignal,
  ): Promise<{ infra: Infra; defaults: FieldMap; overrides: FieldMap }[] | undefined> {
    if (!this.#graphql) return undefined;
    const question = { account: this.account, infra };
    const answer = await askGraphql(await this.#endpoint(), question, signal);
    const given = graphqlImagesSchema.safeParse(answer).data;
    const found = infra.flatMap((one) => {
      const images = given?.find((entry) => entry.infra === one);
      return images === undefined ? [] : [{ ...images, infra: one }];
    });
    return found.length === infra.length ? found : undefined;
  }

  /** What Harness ships for the infra. */
  async defaultConfig(infra: Infra, signal?: AbortSignal): Promise<FieldMap> {
    return this.#ask(fieldMapSchema, {
      method: 'GET',
      path: '/ci/execution-config/get-default-config',
      query: { infra },
      what: `the default images of ${infra}`,
      signal,
    });
  }

  /** The account's overrides alone, or the defaults merged with them. */
  async customerConfig(
    infra: Infra,
    { overridesOnly }: { overridesOnly: boolean },
    signal?: AbortSignal,
  ): Promise<FieldMap> {
    return this.#ask(overridesSchema, {
      method: 'GET',
      path: '/ci/execution-config/get-customer-config',
      query: { infra, overridesOnly: String(overridesOnly) },
      what: `the account's images of ${infra}`,
      signal,
    });
  }

  /**
   * Sets overrides in one batch, all or nothing.
   * @throws HarnessFieldRejected when a field is unknown; nothing was set then.
   */
  async updateConfig(
    infra: Infra,
    updates: readonly { field: string; value: string }[],
    signal?: AbortSignal,
  ): Promise<void> {
    if (updates.length === 0) return;
    await this.#ask(acceptedSchema, {
      method: 'POST',
      path: '/ci/execution-config/update-config',
      query: { infra },
      body: updates.map(({ field, value }) => ({ field, value })),
      what: `the update of ${updates.length} ${infra} fields`,
      signal,
    });
  }

  /**
   * Takes overrides away in one batch, all or nothing.
   * @throws HarnessFieldRejected when a field is unknown; nothing was reset then.
   */
  async resetConfig(infra: Infra, fields: readonly { field: string }[], signal?: AbortSignal): Promise<void> {
    if (fields.length === 0) return;
    await this.#ask(acceptedSchema, {
      method: 'POST',
      path: '/ci/execution-config/reset-config',
      query: { infra },
      body: fields.map(({ field }) => ({ field })),
      what: `the reset of ${fields.length} ${infra} fields`,
      signal,
    });
  }

  /** @param reference an account connector as it is written in Harness, `account.<id>`. */
  async connector(reference: string, signal?: AbortSignal): Promise<Connector> {
    return this.#ask(connectorSchema, {
      method: 'GET',
      path: `/ng/api/connectors/${encodeURIComponent(accountConnectorId(reference))}`,
      query: {},
      what: `the connector ${reference}`,
      signal,
    });
  }

  /** Has Harness try the connector's address and credentials. A failed test is an answer, not an error. */
  async testConnector(reference: string, signal?: AbortSignal): Promise<ConnectorTest> {
    const call = {
      method: 'POST',
      path: `/ng/api/connectors/testConnection/${encodeURIComponent(accountConnectorId(reference))}`,
      query: {},
      what: `the test of connector ${reference}`,
      signal,
    } as const;
    const test = await this.#ask(connectorTestSchema, call, this.#connectorTestMs);
    if (test.status === 'SUCCESS') return { ok: true };
    const said = test.errorSummary || (test.errors ?? []).map(({ message }) => message ?? '').join(', ');
    return { ok: false, reason: plain(said, '') || `its status is ${plain(test.status, '', 40)}` };
  }

  async #endpoint(timeoutMs = this.#timeoutMs): Promise<Endpoint> {
    const apiKey = await this.#apiKey();
    return { gateway: this.#gateway, apiKey, timeoutMs, connections: this.#connections };
  }

  async #ask<T>(schema: z.ZodType<T>, call: HarnessCall, timeoutMs?: number): Promise<T> {
    const endpoint = await this.#endpoint(timeoutMs);
    const query = { accountIdentifier: this.account, ...call.query };
    const parsed = schema.safeParse(await callHarness(endpoint, { ...call, query }));
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues[0]?.path.map(String).join('.') ?? '';
    const named = where === '' ? '' : ` (at ${plain(where, endpoint.apiKey, 80)})`;
    throw badAnswer({ host: this.host, what: call.what }, `its data has not the documented shape${named}`);
  }
}
