import { readAuthorities, trusting } from '../common/certificates.js';
import type { WorkerEnvironment } from '../config/environment.js';
import { RegistryClient, type RegistryClientOptions } from '../registry/client.js';
import { type CredentialProvider, targetCredentials } from '../registry/credentials.js';
import { dockerConfigCredentials, dockerConfigPath } from '../registry/docker-config.js';
import { Ecr } from '../registry/ecr.js';

type Options = Omit<RegistryClientOptions, 'credentials' | 'insecureHosts' | 'ca' | 'hostApi'>;

/** How this worker speaks to registries. */
export interface RegistryAccess {
  /** Every login but the target's own: Docker's configuration with its helpers, and ECR's tokens. */
  logins: CredentialProvider;
  /** A client for sources. */
  source(options?: Options): RegistryClient;
  /** A client for a target, which `REGISTRY_USER` is for. */
  target(host: string, options?: Options): RegistryClient;
}

/** @throws FactoryError `InvalidInput` when `EXTRA_CA_FILE` can't be used */
export async function registryAccess(environment: WorkerEnvironment): Promise<RegistryAccess> {
  const { registryCredentials, insecureRegistries: insecureHosts } = environment;
  const { ca } = await trusting(await readAuthorities(environment.extraCaFile));
  const hostApi = new Ecr(environment.ecrEndpoint, ca);
  const logins = hostApi.logins(
    dockerConfigCredentials(
      dockerConfigPath({ DOCKER_CONFIG: environment.dockerConfigDir }),
      environment.helperEnvironment(),
    ),
  );
  const own = registryCredentials && {
    user: registryCredentials.user,
    password: registryCredentials.password.reveal(),
  };
  const open = (credentials: CredentialProvider, options: Options = {}): RegistryClient =>
    new RegistryClient({ ...options, credentials, insecureHosts, ca, hostApi });
  return {
    logins,
    source: (options) => open(logins, options),
    target: (host, options) => open(targetCredentials(host, own ?? undefined, logins), options),
  };
}
