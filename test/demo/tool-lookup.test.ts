import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TOOLS } from '../../src/demo/tools/catalog.js';
import { findOnPath } from '../../src/demo/tools/lookup.js';
import { atLeast } from '../../src/demo/tools/version.js';
import { bareMachine, program, temporaryDirectory } from './fake-tools.js';

const printed = {
  temporal: 'temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)',
  trivy: 'Version: 0.76.0\nVulnerability DB:\n  Version: 2',
  registry: '/usr/bin/registry github.com/distribution/distribution/v3 v3.1.2+unknown',
  crane: 'v0.20.6',
} as const;

describe('looking a tool up on PATH', () => {
  it.each(['temporal', 'trivy', 'registry', 'crane'] as const)(
    'takes a %s that is new enough',
    async (name) => {
      const { bin, env } = await bareMachine(['cat']);
      const path = await program(bin, name, `cat <<'END'\n${printed[name]}\nEND`);
      expect(await findOnPath(TOOLS[name], env)).toMatchObject({ path });
    },
  );

  it('reads the version of the server inside the Temporal CLI, as a CLI built from source has none', async () => {
    const { bin, env } = await bareMachine();
    await program(bin, 'temporal', `echo '${printed.temporal}'`);
    expect(await findOnPath(TOOLS.temporal, env)).toMatchObject({ version: '1.29.1' });
  });

  it('takes the registry by its Debian name too, but not the old one of Debian 12', async () => {
    const { bin, env } = await bareMachine();
    await program(bin, 'docker-registry', "echo 'docker-registry github.com/docker/distribution 2.8.2+ds1'");
    expect(await findOnPath(TOOLS.registry, env)).toBeUndefined();
    const path = await program(
      bin,
      'docker-registry',
      "echo 'docker-registry github.com/distribution/distribution/v3 3.0.0'",
    );
    expect(await findOnPath(TOOLS.registry, env)).toMatchObject({ path, version: '3.0.0' });
  });

  it('looks further along PATH when the first one is too old', async () => {
    const old = await bareMachine();
    await program(old.bin, 'trivy', "echo 'Version: 0.50.1'");
    const recent = await temporaryDirectory();
    const path = await program(recent, 'trivy', "echo 'Version: 0.80.0'");
    const env = { ...old.env, PATH: `${old.bin}:${recent}` };
    expect(await findOnPath(TOOLS.trivy, env)).toEqual({ path, version: '0.80.0' });
  });

  it('is not fooled by another program of the same name, a broken one, or a directory', async () => {
    const { bin, env } = await bareMachine();
    await program(bin, 'registry', "echo 'registry 9.9.9, keeps your keys'");
    await program(bin, 'crane', 'exit 3');
    await symlink(bin, join(bin, 'trivy'));
    expect(await findOnPath(TOOLS.registry, env)).toBeUndefined();
    expect(await findOnPath(TOOLS.crane, env)).toBeUndefined();
    expect(await findOnPath(TOOLS.trivy, env)).toBeUndefined();
  });

  it('gives the programs that it tries no credential', async () => {
    const { bin, env } = await bareMachine();
    await program(bin, 'crane', '[ -z "$HARNESS_API_KEY$GOOGLE_APPLICATION_CREDENTIALS" ] && echo v0.20.6');
    const secrets = { HARNESS_API_KEY: 'canary', GOOGLE_APPLICATION_CREDENTIALS: 'canary' };
    expect(await findOnPath(TOOLS.crane, { ...env, ...secrets })).toBeDefined();
  });
});

describe('comparing versions', () => {
  it.each([
    ['1.29.1', '1.29.0', true],
    ['1.30.0', '1.29.9', true],
    ['1.9.0', '1.29.0', false],
    ['2.0.0', '1.29.0', true],
    ['1.25', '1.25.0', true],
    ['1.19.8', '1.25', false],
  ])('%s is at least %s: %s', (version, minimum, expected) => {
    expect(atLeast(version, minimum)).toBe(expected);
  });
});
