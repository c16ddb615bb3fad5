import { FactoryError, messageOf } from '../../common/errors.js';
import { codeOf } from '../../common/network.js';
import { plainText } from './plain-text.js';

const FULL = /no space left on device|disk quota exceeded/i;
const NOT_TRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ERR_TLS_CERT/;
const REFUSES_US = /ALERT_(?:CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN)/;
/** As the daemon says them when it ends in the middle, or has lost a part of itself. */
const DAEMON =
  /context canceled|connection refused|code = (?:Unavailable|Canceled)|transport is closing|shutting down|closing transport|containerd|lease .*(?:not found|does not exist)|input\/output error|read-only file system|cannot allocate memory|layer does not exist|image-factory\.local/i;

/** As BuildKit says them when the connection on which it asks us for files is lost, or too slow for it. */
const SESSION =
  /no active session|deadline ?exceeded|session healthcheck|(?:^|: )(?:unexpected )?EOF["\s]*$/i;

/** Whether a disk that is full is what the text says. */
export const saysDiskFull = (text: string): boolean => FULL.test(text);

/** Whether the text is about the daemon itself, not about what it was told to do. */
export const saysDaemonFault = (text: string): boolean => DAEMON.test(text);

/** Whether the text is about the connection for a build's files. A program may say the same of connections of its own. */
export const saysSessionFault = (text: string): boolean => SESSION.test(text);

export const engineUnavailable = (engine: string, why: string, cause?: unknown): FactoryError =>
  new FactoryError(
    'EngineUnavailable',
    `${engine} does not answer as it should (${plainText(why, 300)}): look whether it runs, and at DOCKER_HOST`,
    { cause },
  );

export const engineDiskFull = (engine: string, cause?: unknown): FactoryError =>
  new FactoryError(
    'EngineDiskFull',
    `${engine} has no space left on its disk: free some there, for instance by docker builder prune`,
    { cause },
  );

/** The status of an answer that dockerode made an error of. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;
}

/** What the daemon itself said, without what dockerode puts around it. */
export const reasonOf = (error: unknown): string =>
  messageOf(error)
    .replace(/^\(HTTP code \d+\) [^-]* - /, '')
    .trim();

/**
 * What a failed call to the engine means: the connection, the daemon or its disk. What the daemon answers to a question
 * that it can't take is `EngineUnsuitable`.
 *
 * @param engine as {@link engineName} says it
 */
export function engineError(error: unknown, engine: string): FactoryError {
  if (error instanceof FactoryError) return error;
  const code = codeOf(error);
  const status = statusOf(error);
  const reason = reasonOf(error);
  if (saysDiskFull(reason)) return engineDiskFull(engine, error);
  if (REFUSES_US.test(code))
    return new FactoryError(
      'EngineUnsuitable',
      `${engine} does not accept our certificate (${code}): put the one that it knows into DOCKER_CERT_PATH`,
      { cause: error },
    );
  if (NOT_TRUSTED.test(code))
    return new FactoryError(
      'CertificateNotTrusted',
      `${engine} shows a certificate that is not trusted (${code}): put its authority as ca.pem into DOCKER_CERT_PATH`,
      { cause: error },
    );
  if (code === 'EACCES' || code === 'EPERM')
    return new FactoryError(
      'EngineUnsuitable',
      `${engine} can't be opened by this user (${code}): let the worker's user into the socket's group`,
      { cause: error },
    );
  if (status !== undefined && status < 500)
    return new FactoryError(
      'EngineUnsuitable',
      `${engine} refuses (${status}: ${plainText(reason, 300)}): look at what it lets us do`,
      { cause: error },
    );
  return engineUnavailable(engine, status === undefined ? code || reason : reason, error);
}
