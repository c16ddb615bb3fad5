import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Infra } from '../../contract/run.js';
import { type Answer, unauthorized, undocumented } from './answers.js';
import { type Fault, sendFault } from './faults.js';
import { answer } from './routes.js';
import { type SimulatedConnector, SimulatorState } from './state.js';

export type { Fault } from './faults.js';
export type { SimulatedConnector } from './state.js';

export interface SimulatorOptions {
  account: string;
  apiKey: string;
  /** A second key that may read and not write. */
  readOnlyKey?: string;
  /** A third key that has expired. */
  expiredKey?: string;
  /** Any free port when absent. */
  port?: number;
  /** Certificate and private key, PEM: the simulator then speaks HTTPS. */
  tls?: { certificate: string; key: string };
  defaults: Partial<Record<Infra, Record<string, string>>>;
  overrides?: Partial<Record<Infra, Record<string, string>>>;
  connectors: readonly SimulatedConnector[];
}

/** A request as it came and the status it got. No key in it. */
export interface RecordedRequest {
  method: string;
  path: string;
  query: Record<string, string>;
  /** Parsed JSON; undefined without a body. */
  body: unknown;
  status: number;
}

export interface HarnessSimulator {
  /** The gateway, `http://127.0.0.1:<port>/gateway`; `https:` with a certificate. */
  url: string;
  state: SimulatorState;
  requests: RecordedRequest[];
  /** Makes the next calls (that match) go wrong, one fault each, in order. */
  fail(...faults: Fault[]): void;
  stop(): Promise<void>;
}

const GATEWAY = '/gateway';
const MAX_BODY_BYTES = 1 << 20;

/**
 * Harness's API for CI images on this machine, as strict as its documents: the one part of a demo or a test that can't be
 * the real thing. It listens on loopback only.
 */
export async function startHarnessSimulator(options: SimulatorOptions): Promise<HarnessSimulator> {
  const state = new SimulatorState(options);
  const requests: RecordedRequest[] = [];
  const faults: Fault[] = [];

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://simulator.invalid');
    const method = request.method ?? '';
    const body = await read(request);
    const json = body === '' ? undefined : parsed(body);
    const key = request.headers['x-api-key'];
    const respond = (): Answer | Promise<Answer> => {
      if (options.expiredKey !== undefined && key === options.expiredKey)
        return unauthorized('EXPIRED_TOKEN');
      const readOnly = options.readOnlyKey !== undefined && key === options.readOnlyKey;
      if (key !== options.apiKey && !readOnly) return unauthorized('INVALID_TOKEN');
      if (!url.pathname.startsWith(`${GATEWAY}/`)) return undocumented(`${method} ${url.pathname}`);
      const path = url.pathname.slice(GATEWAY.length);
      const contentType = request.headers['content-type'] ?? '';
      const call = { method, path, query: url.searchParams, body, json, contentType, readOnly };
      return answer({ account: options.account, state }, call);
    };
    const index = faults.findIndex(({ path }) => path === undefined || url.pathname.includes(path));
    const [fault] = index < 0 ? [] : faults.splice(index, 1);
    const carriedOut = fault === undefined || fault.after === true || fault.how.kind === 'half';
    const good = carriedOut ? await respond() : { status: 0, body: null };
    requests.push({
      method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      body: json,
      status: fault?.how.kind === 'answer' ? fault.how.status : good.status,
    });
    if (fault !== undefined) {
      sendFault(response, fault, good);
      return;
    }
    const text = JSON.stringify(good.body);
    response.writeHead(good.status, { 'content-type': 'application/json;charset=UTF-8' }).end(text);
  };

  const listener: RequestListener = (request, response) => {
    handle(request, response).catch(() => response.destroy());
  };
  const { tls } = options;
  const server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer({ cert: tls.certificate, key: tls.key }, listener);
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the simulator has no port');
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}${GATEWAY}`,
    state,
    requests,
    fail: (...more) => {
      faults.push(...more);
    },
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    // no encoding is set, so chunks are Buffers
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error('body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
