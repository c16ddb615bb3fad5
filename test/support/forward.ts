import { type IncomingMessage, request, type ServerResponse } from 'node:http';

/** Hands a request on to a server behind (`host:port`, plain HTTP), and its answer back. */
export function forward(
  asked: IncomingMessage,
  response: ServerResponse,
  behind: string,
  headers: IncomingMessage['headers'] = asked.headers,
): void {
  const [hostname, port] = behind.split(':');
  const inner = request({ hostname, port, method: asked.method, path: asked.url, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  inner.on('error', () => response.destroy());
  asked.pipe(inner);
}
