import type { DiscoveredImage } from '../contract/run.js';
import { locate } from '../harness/image-location.js';
import type { RegistryClient } from '../registry/client.js';
import { ecrOf } from '../registry/ecr-host.js';
import { RegistryError } from '../registry/errors.js';
import { parseReference, splitReference } from '../registry/reference.js';
import { registryAccess } from '../worker/registries.js';
import { type Finding, fail, failure, notChecked, ok, warn } from './finding.js';
import type { Situation } from './situation.js';

/** What every CI build pulls: stands in where the account's images are not known. */
const USUAL = 'harness/ci-addon';

/** Runs with a client, and closes it. */
export async function withClient<T>(
  client: RegistryClient,
  use: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** How a login is called in a finding. */
const HOW = {
  none: 'anonymous',
  docker: 'login from the Docker configuration',
  aws: 'login of Docker or AWS',
};

/** Whether one source registry shows us an image that a run would copy. */
export async function checkSource(
  prefix: string,
  image: DiscoveredImage | undefined,
  situation: Situation,
  signal: AbortSignal,
): Promise<Finding> {
  const { environment, registry } = situation;
  if (image === undefined) return notChecked('no image is known to ask for');
  const [source] = locate(image.name, [prefix], registry ?? 'none.invalid').candidates;
  if (source === undefined) return notChecked(`${image.name} has no place there`);
  const { host } = splitReference(source);
  try {
    const access = await registryAccess(environment);
    const how = (await access.logins.forHost(host)) === undefined ? HOW.none : HOW.docker;
    const found = await withClient(access.source(), (client) => client.head(source, signal));
    if (found !== undefined) return ok(`${host} shows ${source} (${how})`);
    const absent = `${host} answers, but has no ${source} (${how})`;
    const mend = 'check SOURCE_REGISTRY: host and prefix of where Harness’s images are';
    // The next registry of the list is asked for what this one lacks.
    return environment.sourceRegistries.length > 1 ? warn(absent, mend) : fail(absent, mend);
  } catch (error) {
    return failure(error, 'check SOURCE_REGISTRY and the network from here to it');
  }
}

/** Whether we may push, by opening a real upload where the first image would go, and abandoning it. */
export async function checkPush(
  image: DiscoveredImage | undefined,
  situation: Situation,
  signal: AbortSignal,
): Promise<Finding> {
  const { environment, registry, allowLists } = situation;
  if (registry === null) return notChecked('there is no registry that may be pushed to');
  try {
    const target = image?.target ?? `${registry}/${USUAL}`;
    allowLists.assertTarget(target);
    const { host, path } = parseReference(target);
    const access = await registryAccess(environment);
    const how =
      environment.registryCredentials !== null
        ? 'REGISTRY_USER'
        : (await access.logins.forHost(host)) === undefined
          ? HOW.none
          : ecrOf(host) === undefined
            ? HOW.docker
            : HOW.aws;
    await withClient(access.target(host), (client) => client.probePush({ host, path }, signal));
    return ok(`${host} lets us push to ${path} (${how}; the upload was abandoned)`);
  } catch (error) {
    const [host = ''] = registry.split('/');
    if (error instanceof RegistryError && error.code === 'NAME_UNKNOWN' && ecrOf(host) !== undefined)
      return warn(
        `${host} takes our login, and has no such repository yet`,
        'nothing to do where the AWS credentials may ecr:CreateRepository: the first push makes it',
      );
    return failure(error, 'check REGISTRY and the network from here to it');
  }
}
