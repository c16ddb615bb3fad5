import { once } from 'node:events';
import { open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BuildTask } from '../../src/contract/activities.js';
import { context, openSides } from '../mirror/side.js';
import { temporaryDirectory } from '../support/directory.js';
import { type DockerEngineOptions, startDockerEngine } from '../support/docker-engine.js';
import { createAuthority } from '../support/tls.js';
import {
  imagesOn,
  localEngine,
  logOf,
  openBuilds,
  pushTask,
  shellImage,
  taskOf,
  type Worker,
  worker,
} from './world.js';

async function engineOfItsOwn(options: DockerEngineOptions = {}) {
  const docker = await startDockerEngine(options);
  onTestFinished(() => docker.stop());
  return docker;
}

/** Builds, and tells when the engine has begun. */
function begin(sides: Worker, task: BuildTask) {
  const events = new EventTarget();
  const building = sides.engine
    .build(task, {
      signal: new AbortController().signal,
      progress: ({ phase }) => void events.dispatchEvent(new Event(phase)),
    })
    .catch((error: unknown) => error);
  return { building, begun: once(events, 'build') };
}

it('goes on after an engine that was killed in the middle of a build', async () => {
  const docker = await engineOfItsOwn();
  const sides = await openBuilds(docker);
  const task = await taskOf(sides, 'harness/killed:1', await shellImage(), {
    body: 'COPY a /a\nRUN busybox sleep 5; echo done > /done',
    files: { a: 'a' },
    platforms: ['linux/amd64'],
  });
  const { building, begun } = begin(sides, task);
  await begun;
  await docker.kill();
  expect(await building).toMatchObject({
    type: 'EngineUnavailable',
    retryable: true,
    message: expect.stringMatching(/^the Docker Engine at unix:.* does not answer as it should/),
  });
  await expect(sides.engine.build(task, context())).rejects.toMatchObject({ type: 'EngineUnavailable' });
  await docker.start();
  const { built } = await pushTask(sides, task);
  expect(built.platforms).toMatchObject([{ platform: 'linux/amd64', how: 'built' }]);
  expect(await sides.buildkit.clean(task.runId, context().signal)).toBeGreaterThanOrEqual(0);
  expect(await imagesOn(docker)).toEqual([]);
});

describe('an engine whose disk is full', () => {
  it.each([
    ['by what the build writes', 'RUN busybox dd if=/dev/zero of=/big bs=1M count=400', false],
    ['before anything can be loaded', 'COPY a /a', true],
  ])('says so, and that it may pass: %s', async (_what, body, before) => {
    const docker = await engineOfItsOwn({ diskMegabytes: 160 });
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/full:1', await shellImage(), {
      body,
      files: { a: 'a' },
      platforms: ['linux/amd64'],
    });
    if (before) await fill(docker.dataRoot);
    await expect(sides.engine.build(task, context())).rejects.toMatchObject({
      type: 'EngineDiskFull',
      retryable: true,
      message: expect.stringMatching(/no space left on its disk: free some there/),
    });
  });
});

describe('an engine by TCP and TLS', () => {
  const start = async () => {
    const authority = await createAuthority();
    const server = await authority.issue({ names: ['127.0.0.1'] });
    const client = await authority.issue({ names: ['client'], client: true });
    const docker = await engineOfItsOwn({ tls: { authority: authority.certificate, server } });
    const certPath = await temporaryDirectory();
    const files = { ca: authority.certificate, cert: client.certificate, key: client.key };
    for (const [name, text] of Object.entries(files)) await writeFile(join(certPath, `${name}.pem`), text);
    return { docker, certPath, settings: { host: docker.tcpHost, tls: true, certPath } };
  };

  it('builds as one by its socket does, and tells its platforms', async () => {
    const { docker, settings } = await start();
    const sides = await worker(await openSides(), settings);
    expect(await sides.buildkit.state(context().signal)).toEqual(
      await (await worker(sides, localEngine(docker))).buildkit.state(context().signal),
    );
    const task = await taskOf(sides, 'harness/tls:1', await shellImage(), {
      body: 'RUN echo remote',
      platforms: ['linux/amd64'],
    });
    expect(await logOf(sides, (await pushTask(sides, task)).built)).toMatch(/#\d+ remote/);
  });

  it('is not spoken to with another authority’s certificate, nor speaks to a stranger', async () => {
    const { docker, settings, certPath } = await start();
    const stranger = await createAuthority('a stranger');
    const state = async (changed: Record<string, string>) => {
      const folder = await temporaryDirectory();
      for (const name of ['ca.pem', 'cert.pem', 'key.pem'])
        await writeFile(join(folder, name), changed[name] ?? (await readFile(join(certPath, name))));
      const { buildkit } = await worker(await openSides(), { ...settings, certPath: folder });
      return buildkit.state(context().signal).catch((error: unknown) => error);
    };
    expect(await state({ 'ca.pem': stranger.certificate })).toMatchObject({ type: 'CertificateNotTrusted' });
    const other = await stranger.issue({ names: ['client'], client: true });
    expect(await state({ 'cert.pem': other.certificate, 'key.pem': other.key })).toMatchObject({
      type: 'EngineUnsuitable',
      message: expect.stringMatching(/does not accept our certificate/),
    });
    const plain = await worker(await openSides(), { host: docker.tcpHost, tls: false, certPath: '' });
    await expect(plain.buildkit.state(context().signal)).rejects.toMatchObject({ type: 'EngineUnsuitable' });
  });
});

describe('what is no engine that can build', () => {
  const state = async (host: string, tls = false) => {
    const sides = await worker(await openSides(), { host, tls, certPath: '/nowhere' });
    return sides.buildkit.state(context().signal).catch((error: unknown) => error);
  };

  it.each([
    ['unix:///nowhere/docker.sock', 'EngineUnavailable', /\(ENOENT\)/],
    ['tcp://127.0.0.1:9', 'EngineUnavailable', /\(ECONNREFUSED\)/],
    ['ssh://user@host', 'EngineUnsuitable', /set it to unix:/],
    ['docker.example.com', 'EngineUnsuitable', /set it to unix:/],
  ])('is %s', async (host, type, message) => {
    expect(await state(host)).toMatchObject({ type, message: expect.stringMatching(message) });
  });

  it('is one whose certificates are not there', async () => {
    expect(await state('tcp://127.0.0.1:9', true)).toMatchObject({
      type: 'EngineUnsuitable',
      message: expect.stringMatching(
        /ca\.pem \(ENOENT.*\), cert\.pem \(ENOENT.*\), key\.pem \(ENOENT.*\) can't be read: .*DOCKER_CERT_PATH/,
      ),
    });
  });

  it.each([
    [
      'an old one',
      { Version: '18.09.0', ApiVersion: '1.39', Os: 'linux', Arch: 'amd64' },
      /18\.09\.0, which is too old/,
    ],
    [
      'one of Windows',
      { Version: '27.0', ApiVersion: '1.46', Os: 'windows', Arch: 'amd64' },
      /runs on windows/,
    ],
    [
      'Podman',
      {
        Version: '5.0',
        ApiVersion: '1.41',
        Os: 'linux',
        Arch: 'amd64',
        Components: [{ Name: 'Podman Engine' }],
      },
      /Podman/,
    ],
  ])('is %s', async (_what, answer, message) => {
    expect(await state(await answering(JSON.stringify(answer)))).toMatchObject({
      type: 'EngineUnsuitable',
      retryable: false,
      message: expect.stringMatching(message),
    });
  });

  it('is something else that answers', async () => {
    expect(await state(await answering('<html>'))).toMatchObject({ type: 'EngineUnavailable' });
  });

  it('is trusted with its native platform where it can’t say which it emulates', async () => {
    const answer = { Version: '27.0', ApiVersion: '1.46', Os: 'linux', Arch: 'arm64' };
    expect(await state(await answering(JSON.stringify(answer)))).toEqual({
      version: '27.0',
      platforms: ['linux/arm64'],
    });
  });
});

/** Writes until there is no room. */
async function fill(folder: string): Promise<void> {
  const file = await open(join(folder, 'filler'), 'w');
  try {
    for (const bytes = Buffer.alloc(1 << 20); ; ) await file.write(bytes);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    await file.close();
  }
}

/** A server that has one answer. */
async function answering(text: string): Promise<string> {
  const server = createServer((_request, response) => response.end(text));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on TCP: no path
}
