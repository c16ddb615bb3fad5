import { z } from 'zod';
import { FactoryError, messageOf } from '../common/errors.js';
import { runProgram } from '../common/process.js';
import type { Credential } from './credentials.js';
import { scrub } from './errors.js';
import { DOCKER_HUB } from './reference.js';

/** A helper may have to ask its cloud, and a cold `gcloud` takes seconds; more than this and it hangs on a prompt. */
const HELPER_MS = 30_000;
/** An identity token of Azure's is 2 KB. */
const MAX_ANSWER_BYTES = 256 * 1024;
/** Asking costs a process, up to a second of one core: an answer is good for so long, or until it is refused. */
const KEEP_MS = 5 * 60_000;

/** What `docker-credential-<name>` may be called: no path, no option, nothing that a file system reads otherwise. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

// docker-credential-helpers, credentials/credentials.go; a user name of `<token>` marks an identity token
// (docker/cli, config/credentials/native_store.go).
const answerSchema = z.object({ Username: z.string(), Secret: z.string().min(1) });
const IDENTITY_TOKEN = '<token>';
const NOT_FOUND = 'credentials not found in native keychain';
/** A wrapper can print its helper's whole answer and fail after it. Not any "secrets": a keyring's errors name its service so. */
const MAY_BE_ANSWER = /^[{[]|Secret|"secret"/;

/** A helper that is not on this machine. */
export class HelperMissing extends FactoryError {
  constructor(program: string) {
    super(
      'ToolMissing',
      `Docker's configuration names the credential helper ${program}, which is not on this worker's PATH: install it, or take it out of config.json`,
    );
  }
}

/** Docker's credential helpers: programs that hold logins, or get them from a cloud. */
export class CredentialHelpers {
  readonly #environment: Record<string, string>;
  readonly #answers = new Map<string, { at: number; answer: Promise<Credential | undefined> }>();

  /** @param environment all that the programs see; `PATH` says where they are. */
  constructor(environment: Record<string, string>) {
    this.#environment = environment;
  }

  /**
   * What a helper has for a registry; undefined when it has nothing.
   *
   * @param name as `config.json` has it: `ecr-login` for the program `docker-credential-ecr-login`.
   * @throws FactoryError `ToolMissing`, `CredentialHelperFailed`; `InvalidInput` when it is no name of a helper
   */
  get(name: string, host: string): Promise<Credential | undefined> {
    const key = `${name} ${host}`;
    const known = this.#answers.get(key);
    if (known !== undefined && performance.now() - known.at < KEEP_MS) return known.answer;
    const answer = ask(name, host, this.#environment);
    const entry = { at: performance.now(), answer };
    this.#answers.set(key, entry);
    answer.catch(() => {
      if (this.#answers.get(key) === entry) this.#answers.delete(key);
    });
    return answer;
  }

  /** A registry did not take this credential: the helper is asked again. */
  async refused(name: string, host: string, credential: Credential): Promise<void> {
    const key = `${name} ${host}`;
    const known = this.#answers.get(key);
    // Of several requests that were refused, only the first may throw away an answer: a newer one may be there.
    if ((await known?.answer.catch(() => undefined)) === credential && this.#answers.get(key) === known)
      this.#answers.delete(key);
  }
}

async function ask(
  name: string,
  host: string,
  environment: Record<string, string>,
): Promise<Credential | undefined> {
  if (!NAME.test(name))
    throw new FactoryError(
      'InvalidInput',
      "Docker's configuration names a credential helper that no program can have as its name: correct config.json",
    );
  const program = `docker-credential-${name}`;
  // Docker keeps its Hub's login under this name, whatever the server is called.
  const server = host === DOCKER_HUB ? 'https://index.docker.io/v1/' : host;
  const failed = (why: string): FactoryError =>
    new FactoryError(
      'CredentialHelperFailed',
      `${program} ${why}: try echo ${server} | ${program} get as this worker's user`,
    );
  const end = await runProgram(program, ['get'], {
    env: environment,
    input: server,
    timeoutMs: HELPER_MS,
    maxOutputBytes: MAX_ANSWER_BYTES,
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new HelperMissing(program);
    throw failed(`gave no login for ${host} (${scrub(messageOf(error))})`);
  });
  if (end.code !== 0) {
    // By the protocol an error's text comes on standard output.
    const said = end.stdout.trim() || end.stderr.trim();
    if (said.includes(NOT_FOUND)) return undefined;
    const why = MAY_BE_ANSWER.test(said) ? '' : scrub(said);
    throw failed(`gave no login for ${host} (${why || `exit code ${end.code}`})`);
  }
  const answer = answerSchema.safeParse(jsonOf(end.stdout));
  if (!answer.success) throw failed(`answered for ${host} with something that is no login`);
  const { Username: user, Secret: secret } = answer.data;
  return user === IDENTITY_TOKEN
    ? { kind: 'identity-token', token: secret }
    : { kind: 'password', user, password: secret };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
