import { onTestFinished } from 'vitest';
import { RegistryClient, type RegistryClientOptions } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { digestOf } from '../../src/registry/digest.js';
import { OCI_MANIFEST } from '../../src/registry/media-types.js';
import { formatReference, parseReference } from '../../src/registry/reference.js';
import type { RawManifest } from '../../src/registry/types.js';
import { type HostileRegistry, type Rule, startHostile } from '../support/hostile-registry.js';

/** A client that ends with the test. */
export function clientFor(options: Partial<RegistryClientOptions> = {}): RegistryClient {
  const client = new RegistryClient({ credentials: anonymous, insecureHosts: [], ...options });
  onTestFinished(() => client.close());
  return client;
}

/** A hostile registry that ends with the test. */
export async function hostile(rules: Rule[] | ((self: string) => Rule[])): Promise<HostileRegistry> {
  const server = await startHostile(typeof rules === 'function' ? rules : () => rules);
  onTestFinished(() => server.stop());
  return server;
}

export const referenceTo = (text: string) => formatReference(parseReference(text));

export const blobOf = (bytes: Buffer | string) => ({
  mediaType: 'application/octet-stream',
  digest: digestOf(bytes),
  size: Buffer.byteLength(bytes),
});

export const documentOf = (document: object, mediaType: string): RawManifest => {
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
};

/** A small, valid OCI manifest with one layer. */
export const imageOf = (config: string, layer: string | Buffer): RawManifest =>
  documentOf(
    {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { ...blobOf(config), mediaType: 'application/vnd.oci.image.config.v1+json' },
      layers: [{ ...blobOf(layer), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }],
    },
    OCI_MANIFEST,
  );
