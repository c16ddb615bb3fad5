import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, createServer as createTcpServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Authorizer } from '../../src/registry/auth.js';
import { DEFAULT_TIMEOUTS, readBody, Transport } from '../../src/registry/transport.js';
import { clientFor, hostile, imageOf, referenceTo } from './kit.js';

function transportFor(insecureHosts: string[]): Transport {
  const transport = new Transport({ insecureHosts, userAgent: 'test', timeouts: DEFAULT_TIMEOUTS });
  onTestFinished(() => transport.close());
  return transport;
}

it.each([
  ['docker.io', 'https://registry-1.docker.io/v2/'],
  ['reg.example.com:8443', 'https://reg.example.com:8443/v2/'],
  ['plain.example.com', 'http://plain.example.com/v2/'],
  ['plain.example.com:5000', 'https://plain.example.com:5000/v2/'],
  ['localhost:5000', 'http://localhost:5000/v2/'],
  ['127.8.9.1', 'http://127.8.9.1/v2/'],
  ['[::1]:5000', 'http://[::1]:5000/v2/'],
  ['127.0.0.1.example.com', 'https://127.0.0.1.example.com/v2/'],
])('%s is spoken to at %s', (host, url) => {
  expect(transportFor(['Plain.example.com']).base(host).href).toBe(url);
});

const LOGIN = { kind: 'password', user: 'u', password: 'canary' } as const;

it.each([
  ['http://auth.example.com/token', 'RegistryRejected'],
  ['ftp://auth.example.com/token', 'RegistryBadAnswer'],
  ['https://u:p@auth.example.com/token', 'RegistryBadAnswer'],
  ['nonsense', 'RegistryBadAnswer'],
])('an HTTPS registry can’t have its login sent to %s', async (realm, type) => {
  const forHost = vi.fn(async () => LOGIN);
  const authorizer = new Authorizer(transportFor([]), { forHost });
  const challenge = `Bearer realm="${realm}",service="x"`;
  await expect(authorizer.challenged('reg.example.com', [], challenge, undefined)).rejects.toMatchObject({
    type,
  });
  expect(forHost).not.toHaveBeenCalled();
});

/** A proxy that takes every host for `target`, and tells which hosts were asked for. */
async function proxyTo(target: string): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer();
  server.on('connect', (request, socket, head) => {
    asked.push(request.url ?? '');
    const [host, port] = target.split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
    onTestFinished(() => void upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return { url: `http://127.0.0.1:${port}`, asked };
}

it('a proxy in the environment is used for all but loopback and NO_PROXY', async () => {
  const image = imageOf('{}', 'layer');
  const headers = { 'content-type': image.descriptor.mediaType };
  const server = await hostile([
    { on: 'GET /v2/a/manifests/1', reply: { status: 200, headers, body: image.bytes } },
  ]);
  const proxy = await proxyTo(server.host);
  for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) vi.stubEnv(name, proxy.url);
  vi.stubEnv('NO_PROXY', 'direct.invalid');
  vi.stubEnv('no_proxy', 'direct.invalid');
  onTestFinished(() => void vi.unstubAllEnvs());
  const client = clientFor({ insecureHosts: ['reg.invalid:5000', 'direct.invalid'] });
  expect((await client.manifest(referenceTo('reg.invalid:5000/a:1')))?.descriptor).toEqual(image.descriptor);
  expect((await client.manifest(referenceTo(`${server.host}/a:1`)))?.descriptor).toEqual(image.descriptor);
  await expect(client.manifest(referenceTo('direct.invalid/a:1'))).rejects.toMatchObject({
    type: 'RegistryUnavailable',
  });
  expect(proxy.asked).toEqual(['reg.invalid:5000']);
});

it('a proxy that is no URL is named without its contents', () => {
  for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']) vi.stubEnv(name, '::canary');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(() => transportFor([])).toThrow(/HTTPS_PROXY or HTTP_PROXY is not a URL/);
});

describe('a HEAD', () => {
  async function answering(toHead: string, late = ''): Promise<{ host: string; connections: () => number }> {
    let count = 0;
    const server = createTcpServer((socket) => {
      count++;
      socket.on('error', () => {});
      socket.on('data', (asked: Buffer) => {
        if (late !== '' && asked.toString().startsWith('HEAD'))
          setTimeout(() => socket.destroyed || socket.write(late), 50);
        socket.write(
          asked.toString().startsWith('HEAD') ? toHead : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}',
        );
      });
      onTestFinished(() => void socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo; // a TCP server that listens has one
    return { host: `127.0.0.1:${port}`, connections: () => count };
  }

  it('leaves its connection to what comes after it', async () => {
    const { host, connections } = await answering('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n');
    const transport = transportFor([]);
    for (const method of ['HEAD', 'HEAD', 'GET', 'HEAD', 'GET'] as const) {
      const answer = await transport.send({ method, url: new URL(`http://${host}/`) });
      expect((await readBody(answer, 100, undefined))?.toString()).toBe(method === 'GET' ? '{}' : '');
    }
    expect(connections()).toBeLessThan(3); // a second where the first was not yet seen to be free
  });

  it.each([
    ['with it', 'wrong', ''],
    ['after it', '', 'wrong'],
  ])('does no harm where the host sends a body %s', async (_, body, late) => {
    const { host } = await answering(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n${body}`, late);
    const transport = transportFor([]);
    for (let time = 0; time < 5; time++) {
      if (late !== '') await delay(30 * time); // so that it comes before, while and after something is asked
      const asked = ['HEAD', 'GET', 'GET'] as const;
      await Promise.all(
        asked.map(async (method) => {
          const answer = await transport.send({ method, url: new URL(`http://${host}/`) });
          expect(answer.status).toBe(200);
          expect((await readBody(answer, 100, undefined))?.toString()).toBe(method === 'GET' ? '{}' : '');
        }),
      );
    }
  });
});
