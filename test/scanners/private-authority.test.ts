import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAuthorities, trusting } from '../../src/common/certificates.js';
import { publishVulnerabilityDb } from '../../src/demo/fleet/publish.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { startRegistry, type TestRegistry } from '../support/registry-server.js';
import { createAuthority } from '../support/tls.js';
import { startWorld, stepContext, type World } from './world.js';

describe('a database in a registry with a certificate of a private authority', () => {
  let world: World;
  let registry: TestRegistry;
  let client: RegistryClient;
  let extraCaFile: string;
  beforeAll(async () => {
    world = await startWorld();
    const authority = await createAuthority();
    extraCaFile = join(world.directory, 'authority.pem');
    await writeFile(extraCaFile, authority.certificate);
    registry = await startRegistry({ tls: await authority.issue() });
    const trust = await trusting(await readAuthorities(extraCaFile));
    client = new RegistryClient({ credentials: anonymous, insecureHosts: [], ...trust });
    await publishVulnerabilityDb(client, registry.host, { updatedAt: new Date().toISOString() });
  });
  afterAll(async () => {
    await client.close();
    await registry.stop();
    await world.stop();
  });

  const pin = (name: string, trusted: string | null) =>
    world
      .scanner({
        cacheDir: join(world.directory, name),
        dbRepository: `${registry.host}/aquasec/trivy-db:2`,
        javaDbRepository: `${registry.host}/aquasec/trivy-java-db:1`,
        skipDbUpdate: false,
        skipJavaDbUpdate: false,
        insecureHosts: [],
        registry: client,
        extraCaFile: trusted,
      })
      .pinDatabase(48, stepContext());

  it('is fetched by Trivy with EXTRA_CA_FILE', async () => {
    expect((await pin('trusted', extraCaFile)).digest).toMatch(/^sha256:/);
  });

  it('is not fetched without', async () => {
    await expect(pin('untrusted', null)).rejects.toMatchObject({ type: 'DatabaseUnavailable' });
  });
});
