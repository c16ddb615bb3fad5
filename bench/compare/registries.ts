import { join } from 'node:path';
import { request } from 'undici';
import { type RegistryService, startRegistry } from '../../src/demo/services/registry.js';
import { asideIn, clearAway } from '../clear.js';

export interface CountedRequest {
  method: string;
  path: string;
  status: number;
  /** Of the answer's body. */
  bytes: number;
}

export interface CountedRegistry extends RegistryService {
  /** What came since the last call, from the registry's own access log. */
  drain(): Promise<CountedRequest[]>;
}

/** Apache's combined format, as distribution writes it. */
const ACCESS = /"(GET|HEAD|PUT|POST|PATCH|DELETE) (\S+) HTTP\/1\.1" (\d{3}) (\d+)/;

/** A registry whose access log is read. It may serve what another one's directory holds. */
export async function startCountedRegistry(program: string, storage: string): Promise<CountedRegistry> {
  let seen: CountedRequest[] = [];
  const waiting = new Map<string, () => void>();
  const service = await startRegistry({
    program,
    storage,
    configuration: { log: { level: 'error', accesslog: { disabled: false } } },
    log: (line) => {
      const [, method, path, status, bytes] = ACCESS.exec(line) ?? [];
      if (method === undefined || path === undefined) return;
      const marker = waiting.get(path);
      if (marker) marker();
      else if (path !== '/v2/') seen.push({ method, path, status: Number(status), bytes: Number(bytes) });
    },
  });
  let asked = 0;
  return {
    ...service,
    drain: async () => {
      // Lines come in order: once the log has this request, it has all before it.
      const path = `/v2/bench/marker/manifests/${++asked}`;
      const logged = new Promise<void>((resolve) => waiting.set(path, resolve));
      await (await request(`http://${service.address}${path}`, { method: 'HEAD' })).body.dump();
      await logged;
      const drained = seen;
      seen = [];
      return drained;
    },
  };
}

/** Gives work an empty registry, and clears it away. */
export async function intoFreshTarget<T>(
  program: string,
  directory: string,
  work: (host: string) => Promise<T>,
): Promise<T> {
  const storage = join(directory, 'target');
  const target = await startRegistry({ program, storage });
  try {
    return await work(target.address);
  } finally {
    await target.stop();
    await clearAway(storage, asideIn(directory));
  }
}
