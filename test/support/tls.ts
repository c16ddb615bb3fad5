import 'reflect-metadata'; // @peculiar/x509 takes its parts from a container that needs it
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A server's certificate and private key, PEM. */
export interface Issued {
  certificate: string;
  key: string;
}

export interface IssueOptions {
  /** Host names and IP addresses. */
  names?: readonly string[];
  /** Of a client instead of a server. */
  client?: boolean;
  /** Ended yesterday. */
  expired?: boolean;
}

/** A certificate authority of a test's own. */
export interface Authority {
  /** Its certificate, PEM: what a client has to trust. */
  certificate: string;
  issue(options?: IssueOptions): Promise<Issued>;
}

/**
 * A host that reaches this machine and is spoken to in TLS: names of loopback are spoken to in plain HTTP by us, docker
 * and Trivy alike.
 */
export const TLS_HOST = '0.0.0.0';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const daysFromNow = (days: number): Date => new Date(Date.now() + days * DAY_MS);

const makeKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

/** Makes a certificate authority that nobody trusts yet. */
export async function createAuthority(name = 'Image Factory test authority'): Promise<Authority> {
  const keys = await makeKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    notBefore: daysFromNow(-30),
    notAfter: daysFromNow(30),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const issue = async ({
    names = [TLS_HOST],
    expired = false,
    client = false,
  }: IssueOptions = {}): Promise<Issued> => {
    const own = await makeKeys();
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${names[0] ?? 'nobody'}`,
      issuer: root.subject,
      notBefore: daysFromNow(-10),
      notAfter: daysFromNow(expired ? -1 : 10),
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([client ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
        ),
      ],
    });
    return { certificate: `${certificate.toString('pem')}\n`, key: await privateKeyPem(own.privateKey) };
  };
  return { certificate: `${root.toString('pem')}\n`, issue };
}
