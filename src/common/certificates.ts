import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as tls from 'node:tls';
import { FactoryError } from './errors.js';

/** A whole company's bundle is 300 KB. */
const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;
const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Reads the certificates of `EXTRA_CA_FILE`, in PEM. Without a file there are none.
 *
 * @throws FactoryError `InvalidInput` when it can't be read, or holds something else
 */
export async function readAuthorities(path: string | null): Promise<string[]> {
  if (path === null) return [];
  const refuse = (why: string): FactoryError =>
    new FactoryError('InvalidInput', `EXTRA_CA_FILE ${path} ${why}: give a file of PEM certificates`);
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw refuse(`can't be read (${error.code})`);
  });
  if (bytes.length > MAX_BUNDLE_BYTES) throw refuse('is larger than 4 MiB');
  const certificates = bytes.toString('latin1').match(PEM) ?? [];
  if (certificates.length === 0) throw refuse('holds no certificate');
  certificates.forEach((certificate, index) => {
    try {
      new X509Certificate(certificate);
    } catch {
      throw refuse(`has a certificate that can't be read, the ${index + 1}. in it`);
    }
  });
  return certificates;
}

// Node 22.15 has it, Node 20 does not; a list given to a connection takes the place of the whole default.
const node: { rootCertificates: readonly string[]; getCACertificates?: (type: 'default') => string[] } = tls;

/**
 * What a connection (`tls.connect`, undici's `connect`) has to be given, so that it trusts these authorities besides
 * Node's own and those of `NODE_EXTRA_CA_CERTS`. Empty when there are none: Node's default is right then.
 */
export async function trusting(authorities: readonly string[]): Promise<{ ca?: string[] }> {
  if (authorities.length === 0) return {};
  return { ca: [...(node.getCACertificates?.('default') ?? (await defaults20())), ...authorities] };
}

async function defaults20(): Promise<string[]> {
  const path = process.env.NODE_EXTRA_CA_CERTS;
  // Node itself only warns of a file that it can't read.
  const text = path ? await readFile(path, 'latin1').catch(() => '') : '';
  return [...node.rootCertificates, ...(text.match(PEM) ?? [])];
}

/**
 * What is wrong with a server's certificate, by the code of the error that refused it, with what to do; undefined when
 * the error is about something else.
 */
export function certificateFault(code: string): string | undefined {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired: have it renewed there, or set this machine’s clock right';
    case 'CERT_NOT_YET_VALID':
      return 'its certificate is not valid yet: set this machine’s clock right';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'its certificate is for another host: use the name that the certificate has, or have one made for this name';
    case 'CERT_REVOKED':
      return 'its certificate was revoked: have a new one made';
  }
  // OpenSSL's X509_V_ERR names, as Node gives them: an unknown authority in several spellings, then the rest.
  return /^(?:DEPTH_ZERO_)?SELF_SIGNED_|^UNABLE_TO_|^CERT_|^INVALID_CA$/.test(code)
    ? `its certificate is not trusted here (${code}): give its authority in EXTRA_CA_FILE`
    : undefined;
}
