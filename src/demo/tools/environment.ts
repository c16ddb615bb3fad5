import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Every environment variable that fetching a tool reads. */
export type Environment = Readonly<Record<string, string | undefined>>;

// What `go` and `pip` need: where programs and caches are, their own settings, proxies and certificates. Go's settings
// have no underscore, apart from CGO_*, so GOOGLE_APPLICATION_CREDENTIALS and its like stay out.
const PASSED_ON = new RegExp(
  `^(?:${[
    'PATH|HOME|USER|LANG|TMPDIR|XDG_[A-Z_]+',
    'GO[A-Z0-9]+|CGO_[A-Z]+|CC|CXX|NETRC',
    'PIP_[A-Z_]+|PYENV_[A-Z]+|PYTHON[A-Z]+|VIRTUAL_ENV',
    '(?:HTTPS?|ALL|NO)_PROXY|(?:https?|all|no)_proxy',
    'SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO',
  ].join('|')})$`,
);

/** The part of the environment that `go` and `pip` get: no credential but those in their own settings. */
export function packageEnvironment(env: Environment): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && PASSED_ON.test(name)) passed[name] = value;
  }
  return passed;
}

/** What this program keeps for the user between two calls: below `XDG_CACHE_HOME`, else below `~/.cache`. */
export const cacheDirectory = (env: Environment): string =>
  join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'harness-ci-image-factory');

/** Where fetched tools are kept: `IMAGE_FACTORY_TOOLS_DIR`, else below {@link cacheDirectory}. */
export function toolsDirectory(env: Environment): string {
  if (env.IMAGE_FACTORY_TOOLS_DIR) return resolve(env.IMAGE_FACTORY_TOOLS_DIR); // GOBIN must be absolute
  return join(cacheDirectory(env), 'tools');
}
