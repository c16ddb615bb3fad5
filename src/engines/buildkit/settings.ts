import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FactoryError, messageOf } from '../../common/errors.js';

/** Where the Docker Engine is, as Docker's own variables say it. */
export interface DockerSettings {
  /** `DOCKER_HOST`; null: the usual socket of this machine. */
  host: string | null;
  /** `DOCKER_TLS_VERIFY` is set: TLS both ways, with the files of `certPath`. */
  tls: boolean;
  /** Folder of `ca.pem`, `cert.pem` and `key.pem`. */
  certPath: string;
}

/** What dockerode connects to. Every field is given, or it would read the process's own variables. */
export interface DockerAddress {
  socketPath: string | undefined;
  host: string | undefined;
  port: number | undefined;
  protocol: 'http' | 'https';
  ca: string | undefined;
  cert: string | undefined;
  key: string | undefined;
}

const USUAL_SOCKET = '/var/run/docker.sock';
const NOWHERE: DockerAddress = {
  socketPath: undefined,
  host: undefined,
  port: undefined,
  protocol: 'http',
  ca: undefined,
  cert: undefined,
  key: undefined,
};

/** How the engine is named in messages. */
export const engineName = ({ host }: DockerSettings): string =>
  host === null ? `the Docker Engine at unix://${USUAL_SOCKET}` : `the Docker Engine at ${host}`;

/**
 * Reads `DOCKER_HOST` as Docker's client does: `unix:///path`, or `tcp://host:port`, with TLS where `DOCKER_TLS_VERIFY`
 * asks for it.
 *
 * @throws FactoryError `EngineUnsuitable` for another kind of address, or when a certificate can't be read
 */
export async function dockerAddress(settings: DockerSettings): Promise<DockerAddress> {
  const host = settings.host ?? `unix://${USUAL_SOCKET}`;
  const socketPath = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (socketPath !== undefined) return { ...NOWHERE, socketPath };
  const url = /^(?:tcp|https?):\/\//.test(host) && URL.canParse(host) ? new URL(host) : undefined;
  // `tcp:` is no special scheme, so the parser keeps a path where there is one.
  if (url === undefined || url.hostname === '' || url.username !== '' || !['', '/'].includes(url.pathname))
    throw new FactoryError(
      'EngineUnsuitable',
      'DOCKER_HOST is no address that builds can use: set it to unix:///path/of/docker.sock or tcp://host:port',
    );
  const tls = settings.tls || url.protocol === 'https:';
  const port = url.port === '' ? (tls ? 2376 : 2375) : Number(url.port);
  const address: DockerAddress = { ...NOWHERE, host: url.hostname, port, protocol: tls ? 'https' : 'http' };
  if (!settings.tls) return address;
  return { ...address, ...(await certificates(settings.certPath)) };
}

/** Reads the three files of a client, and names all that can't be read. */
async function certificates(folder: string): Promise<Pick<DockerAddress, 'ca' | 'cert' | 'key'>> {
  const names = ['ca.pem', 'cert.pem', 'key.pem'];
  const read = await Promise.allSettled(names.map((name) => readFile(join(folder, name), 'utf8')));
  const faults = read.flatMap((file, index) =>
    file.status === 'rejected' ? [`${names[index]} (${messageOf(file.reason).split(':')[0]})`] : [],
  );
  if (faults.length > 0)
    throw new FactoryError(
      'EngineUnsuitable',
      `DOCKER_TLS_VERIFY is set, but ${faults.join(', ')} can't be read: put ca.pem, cert.pem and key.pem into DOCKER_CERT_PATH`,
    );
  const [ca, cert, key] = read.map((file) => (file.status === 'fulfilled' ? file.value : undefined));
  return { ca, cert, key };
}
