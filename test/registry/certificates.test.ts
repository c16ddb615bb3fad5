import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { certificateFault, readAuthorities, trusting } from '../../src/common/certificates.js';
import { parseReference } from '../../src/registry/reference.js';
import { temporaryDirectory } from '../support/directory.js';
import { DISTRIBUTIONS } from '../support/distributions.js';
import { startRegistry } from '../support/registry-server.js';
import { type Authority, createAuthority, type IssueOptions } from '../support/tls.js';
import { clientFor, referenceTo } from './kit.js';

let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
});

/** A registry with a certificate of {@link authority}. */
async function secured(options: IssueOptions & { program?: string } = {}) {
  const { program, ...wanted } = options;
  const registry = await startRegistry({
    tls: await authority.issue(wanted),
    ...(program === undefined ? {} : { program }),
  });
  onTestFinished(() => registry.stop());
  return registry;
}

async function file(text: string): Promise<string> {
  const path = `${await temporaryDirectory()}/authorities.pem`;
  await writeFile(path, text);
  return path;
}

const trustOf = async (text: string) => trusting(await readAuthorities(await file(text)));

describe.each(DISTRIBUTIONS)('a registry with a certificate of a private authority (%s)', (program) => {
  it('is spoken to when EXTRA_CA_FILE has that authority, among others', async () => {
    const registry = await secured({ program });
    const other = await createAuthority('another one');
    const bundle = `# ours\n${other.certificate}\nnotes between\n${authority.certificate}`;
    const client = clientFor(await trustOf(bundle));
    await client.probePush(parseReference(`${registry.host}/team/tool`));
    expect(await client.head(referenceTo(`${registry.host}/team/tool:1`))).toBeUndefined();
  });
});

describe('a certificate that is not good', () => {
  it.each([
    ['of an unknown authority', {}, false, /EXTRA_CA_FILE/],
    ['that has expired', { expired: true }, true, /expired/],
    ['for another host', { names: ['registry.example.com'] }, true, /another host/],
  ])('%s ends the attempt for good, in a sentence that says what to do', async (_, wanted, known, says) => {
    const { host } = await secured(wanted);
    const client = clientFor(known ? await trustOf(authority.certificate) : {});
    await expect(client.head(referenceTo(`${host}/team/tool:1`))).rejects.toMatchObject({
      type: 'CertificateNotTrusted',
      retryable: false,
      message: expect.stringMatching(
        new RegExp(`^${host} could not be reached: its certificate .*${says.source}`),
      ),
    });
  });

  it.each(['ECONNRESET', 'ENOTFOUND', 'UND_ERR_SOCKET', ''])('is not what %j is about', (code) => {
    expect(certificateFault(code)).toBeUndefined();
  });
});

describe('EXTRA_CA_FILE', () => {
  it('adds to what Node trusts, and takes nothing away', async () => {
    const { ca } = await trustOf(authority.certificate);
    expect(ca?.length).toBeGreaterThan(100);
    expect(ca?.at(-1)?.trim()).toBe(authority.certificate.trim());
    expect(await trusting([])).toEqual({});
  });

  it.each([
    ['without a certificate', 'nothing here', /holds no certificate/],
    [
      'with a damaged certificate',
      '-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n',
      /can't be read/,
    ],
  ])('%s is refused by name', async (_, text, says) => {
    const path = await file(text);
    const failed = readAuthorities(path);
    await expect(failed).rejects.toMatchObject({ type: 'InvalidInput' });
    await expect(failed).rejects.toThrow(says);
    await expect(failed).rejects.toThrow(path);
  });

  it('that is not there is refused by name', async () => {
    await expect(readAuthorities('/nonexistent/ca.pem')).rejects.toThrow(
      /EXTRA_CA_FILE \/nonexistent\/ca\.pem can't be read \(ENOENT\)/,
    );
  });
});
