import { expect, it, onTestFinished } from 'vitest';
import { examine } from '../../src/doctor/examine.js';
import { startDockerEngine } from '../support/docker-engine.js';

/** What doctor says of the Docker Engine; everything else has its own tests, and no server here. */
async function engine(env: Record<string, string>) {
  const base = { HOME: '/nowhere', PATH: process.env.PATH ?? '', SOURCE_REGISTRY: '127.0.0.1:1' };
  const results = await examine({ scan: false }, { ...base, ...env }, 10_000);
  return results.find(({ check }) => check === 'Docker Engine');
}

it('says which platforms the engine of DOCKER_HOST builds for, and what room it has', async () => {
  const docker = await startDockerEngine();
  onTestFinished(() => docker.stop());
  expect(await engine({ DOCKER_HOST: docker.host })).toMatchObject({
    found: expect.stringMatching(/^Docker Engine \d+\.\d+\S* builds for linux\/.*; its disk has .* GB free$/),
  });
});

it('says nothing of an engine that nobody asks for, and warns of one that is away', async () => {
  expect(await engine({})).toBeUndefined();
  expect(await engine({ DOCKER_HOST: 'unix:///nowhere/docker.sock' })).toMatchObject({
    status: 'warn',
    found: expect.stringMatching(/does not answer as it should \(ENOENT\)/),
    mend: expect.stringMatching(/^look whether it runs, .*the template builds nothing/),
  });
});
