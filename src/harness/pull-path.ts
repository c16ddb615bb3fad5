import { FactoryError } from '../common/errors.js';
import type { Reference } from '../contract/brand.js';
import { fieldValue } from '../contract/field-value.js';
import { parseReference, splitReference } from '../registry/reference.js';
import type { Connector } from './schemas.js';
import { plain } from './text.js';

export const DOCKER_CONNECTOR = 'DockerRegistry';

export type ValueStyle = 'qualified' | 'relative';
type ConnectorAddress = Pick<Connector, 'type' | 'url'>;

/**
 * Harness's own connector to Docker Hub has such an address, and values without a host are pulled through it as they are
 * (Harness's documentation, "Connect to the Harness container image registry").
 */
const DOCKER_HUB = new Set(['index.docker.io', 'registry.hub.docker.com']);

// Read as text: WHATWG's URL drops `:443` and lower-cases the host, which Harness's comparison does not.
const ADDRESS = /^https?:\/\/(?:[^/?#@]*@)?([^/?#@]+)(\/[^?#]*)?/i;

/**
 * What Harness pulls for a field's value, by its own rule: the value as it is when the connector is no Docker registry's
 * or Docker Hub's, or the value already contains the connector's `host[:port]`; else host and path of the connector's
 * URL, `/`, value.
 *
 * @throws FactoryError `ConnectorUnusable` when a Docker connector's URL can't be read.
 */
export function pulledPath({ connector, value }: { connector: ConnectorAddress; value: string }): string {
  if (connector.type !== DOCKER_CONNECTOR) return value;
  const { host, path } = addressOf(connector);
  const asItIs = value.includes(host) || DOCKER_HUB.has(host.toLowerCase().replace(/:443$/, ''));
  return asItIs ? value : `${host}${path}/${value}`;
}

/**
 * The value that a field gets for an image that we pushed.
 *
 * @throws FactoryError `InvalidInput` for a reference by digest: Harness's values are `repository:tag`.
 */
export function valueFor(target: Reference, style: ValueStyle, registry: string): string {
  if (splitReference(target).tag === null) {
    throw new FactoryError('InvalidInput', `${target} has no tag, and a field of Harness takes no digest.`);
  }
  return fieldValue(target, registry, style);
}

/**
 * Compares what Harness would pull with what was pushed.
 *
 * @returns undefined when they are the same; else a sentence that names both paths and how to mend it.
 */
export function checkPullPath(check: {
  connector: ConnectorAddress;
  value: string;
  target: Reference;
  registry: string;
}): string | undefined {
  const { connector, value, target, registry } = check;
  const pulled = pulledPath({ connector, value });
  if (sameImage(pulled, target)) return undefined;
  return `Harness would pull ${plain(pulled, '', 300)}, but the image was pushed to ${target}: ${mend(check, registry)}`;
}

function mend(
  { connector, value, target }: { connector: ConnectorAddress; value: string; target: Reference },
  registry: string,
): string {
  const used: ValueStyle = value === target ? 'qualified' : 'relative';
  const other: ValueStyle = used === 'qualified' ? 'relative' : 'qualified';
  const otherValue = valueFor(target, other, registry);
  if (sameImage(pulledPath({ connector, value: otherValue }), target)) return `set valueStyle to ${other}`;
  const url = connector.url === null ? '' : ` instead of ${plain(connector.url, '', 200)}`;
  return `set the connector's URL to https://${registry.replace(/\/+$/, '')}${url}`;
}

function addressOf(connector: ConnectorAddress): { host: string; path: string } {
  const found = ADDRESS.exec(connector.url ?? '');
  const host = found?.[1];
  if (host === undefined) {
    throw new FactoryError(
      'ConnectorUnusable',
      `The connector's registry URL ${JSON.stringify(plain(connector.url ?? '', '', 200))} cannot be read; ` +
        'write it like https://registry.example.com.',
    );
  }
  return { host, path: (found?.[2] ?? '').replace(/\/+$/, '') };
}

/** Whether a container runtime would take both for the same image: hosts do not differ by case (RFC 3986, 3.2.2). */
function sameImage(pulled: string, target: Reference): boolean {
  try {
    const a = parseReference(pulled);
    const b = splitReference(target);
    const [one, two] = [a, b].map(({ host, path, tag }) => `${host.toLowerCase()}/${path}:${tag}`);
    return a.digest === null && one === two;
  } catch {
    return false; // not a reference at all, e.g. a doubled host
  }
}
