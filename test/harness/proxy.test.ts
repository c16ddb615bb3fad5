import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, it, onTestFinished, vi } from 'vitest';
import { HarnessClient } from '../../src/harness/client.js';

it('asks Harness through the proxy that the environment names', async () => {
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${address.port}`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    proxy.close();
  });
  const client = new HarnessClient({
    gateway: 'https://harness.invalid/gateway',
    account: 'a',
    apiKey: async () => 'pat.a.b.c',
  });
  await expect(client.defaultConfig('K8')).rejects.toMatchObject({ type: 'HarnessUnavailable' });
  expect(asked).toEqual(['harness.invalid:443']);
});
