import { z } from 'zod';
import { INFRAS, type Infra } from '../../contract/run.js';
import {
  type Answer,
  connectorAnswer,
  deprecated,
  forbidden,
  invalidRequest,
  notFound,
  plainBadRequest,
  success,
  testAnswer,
  undocumented,
} from './answers.js';
import { graphqlAnswer } from './graphql.js';
import type { SimulatorState } from './state.js';

export interface SimulatedCall {
  method: string;
  /** Below the gateway. */
  path: string;
  query: URLSearchParams;
  /** The raw body, empty when there was none. */
  body: string;
  /** The body's JSON; undefined without a body, text when it is no JSON. */
  json: unknown;
  contentType: string;
  readOnly: boolean;
}

interface World {
  account: string;
  state: SimulatorState;
}

type Handler = (world: World, call: SimulatedCall, infra: Infra) => Answer;

const CONFIG = '/ci/execution-config/';
const GRAPHQL = '/api/graphql';
const CONNECTORS = '/ng/api/connectors/';
const ID = /^[A-Za-z_][A-Za-z0-9_$]{0,127}$/;

const updateBody = z.array(z.strictObject({ field: z.string().min(1), value: z.string().min(1) })).min(1);
const resetBody = z.array(z.strictObject({ field: z.string().min(1) })).min(1);

const CONFIG_CALLS: Readonly<Record<string, { query: readonly string[]; handle: Handler }>> = {
  'GET get-default-config': {
    query: [],
    handle: ({ state }, _call, infra) => success(state.defaults[infra]),
  },
  'GET get-customer-config': { query: ['overridesOnly'], handle: customerConfig },
  'POST update-config': { query: [], handle: updateConfig },
  'POST reset-config': { query: [], handle: resetConfig },
};

/** Speaks the API exactly as documented; whatever no document describes is a 400 that says so. */
export function answer(world: World, call: SimulatedCall): Answer | Promise<Answer> {
  if (call.method === 'DELETE')
    return undocumented('DELETE must never be used: it wipes the overrides of both infras');
  if (call.path === GRAPHQL) return graphqlAnswer(world, call);
  if (call.query.get('accountIdentifier') !== world.account) {
    return undocumented('accountIdentifier is missing, or not the account of the API key');
  }
  const repeated = [...new Set(call.query.keys())].find((key) => call.query.getAll(key).length > 1);
  if (repeated !== undefined) return undocumented(`query parameter ${repeated} is given twice`);
  if (call.method === 'GET' && call.body !== '') return undocumented('a GET with a body');
  if (call.path.startsWith(CONFIG)) return config(world, call);
  if (call.path.startsWith(CONNECTORS)) return connectors(world, call);
  return undocumented(`${call.method} ${call.path}`);
}

function config(world: World, call: SimulatedCall): Answer {
  const name = `${call.method} ${call.path.slice(CONFIG.length)}`;
  if (name === 'GET get-deprecated-config') {
    return unknownQuery(call, ['accountIdentifier']) ?? deprecated(world.state.deprecated);
  }
  const route = Object.hasOwn(CONFIG_CALLS, name) ? CONFIG_CALLS[name] : undefined;
  if (route === undefined) return undocumented(`${call.method} ${call.path}`);
  const unknown = unknownQuery(call, ['accountIdentifier', 'infra', ...route.query]);
  if (unknown !== undefined) return unknown;
  const given = call.query.get('infra');
  const infra = INFRAS.find((known) => known === given);
  if (infra === undefined) {
    return given !== null && /^[A-Z_0-9]+$/.test(given)
      ? invalidRequest(`Config not supported for infra type: ${given}`)
      : undocumented(`infra must be K8 or VM, in upper case, not ${JSON.stringify(given)}`);
  }
  if (call.method === 'POST') {
    if (!/^application\/json\b/.test(call.contentType))
      return undocumented('a body that is not application/json');
    if (call.readOnly) return forbidden(world.account, 'core_account_edit');
  }
  return route.handle(world, call, infra);
}

function customerConfig({ state }: World, { query }: SimulatedCall, infra: Infra): Answer {
  const only = query.get('overridesOnly') ?? 'true';
  if (only !== 'true' && only !== 'false') return undocumented('overridesOnly must be true or false');
  const overrides = state.read(infra);
  return success(only === 'true' ? overrides : { ...state.defaults[infra], ...overrides });
}

function updateConfig({ state }: World, { json }: SimulatedCall, infra: Infra): Answer {
  const entries = updateBody.safeParse(json).data;
  if (entries === undefined)
    return undocumented('update-config takes [{"field","value"}, …], nothing more or less');
  const digest = entries.find(({ value }) => value.includes('@'));
  if (digest !== undefined) return undocumented(`a digest as the value of ${digest.field}`);
  return (
    refusal(state, infra, entries) ??
    written(() =>
      state.write(infra, (fields) => {
        for (const { field, value } of entries) fields[field] = value;
      }),
    )
  );
}

function resetConfig({ state }: World, { json }: SimulatedCall, infra: Infra): Answer {
  const entries = resetBody.safeParse(json).data;
  if (entries === undefined) return undocumented('reset-config takes [{"field"}, …], nothing more or less');
  return (
    refusal(state, infra, entries) ??
    written(() =>
      state.write(infra, (fields) => {
        for (const { field } of entries) delete fields[field];
      }),
    )
  );
}

function written(write: () => void): Answer {
  write();
  return success(true);
}

/** All or nothing: one unknown field refuses the whole batch. */
function refusal(
  state: SimulatorState,
  infra: Infra,
  entries: readonly { field: string }[],
): Answer | undefined {
  const fields = entries.map(({ field }) => field);
  if (new Set(fields).size < fields.length) return undocumented('a batch that names a field twice');
  const unknown = fields.find((field) => !Object.hasOwn(state.defaults[infra], field));
  if (unknown === undefined) return undefined;
  const message = `Field ${unknown} does not exist for infra type: ${infra}`;
  return state.plainErrors ? plainBadRequest(message) : invalidRequest(message);
}

function connectors({ account, state }: World, call: SimulatedCall): Answer {
  const unknown = unknownQuery(call, ['accountIdentifier']);
  if (unknown !== undefined) return unknown;
  const rest = call.path.slice(CONNECTORS.length);
  const test = call.method === 'POST' && rest.startsWith('testConnection/');
  const id = test ? rest.slice('testConnection/'.length) : rest;
  if ((!test && call.method !== 'GET') || !ID.test(id)) return undocumented(`${call.method} ${call.path}`);
  if (call.body !== '') return undocumented('testConnection with a body');
  const connector = state.connectors.get(id);
  if (connector === undefined) {
    return notFound(`Connector with identifier [${id}] in account [${account}] not found`);
  }
  return test ? testAnswer(connector) : connectorAnswer(connector);
}

function unknownQuery({ query }: SimulatedCall, known: readonly string[]): Answer | undefined {
  const unknown = [...query.keys()].find((key) => !known.includes(key));
  return unknown === undefined ? undefined : undocumented(`query parameter ${unknown}`);
}
