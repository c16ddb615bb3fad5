import { expect, it } from 'vitest';
import { errorBody } from '../support/hostile-registry.js';
import { clientFor, hostile, imageOf, referenceTo } from './kit.js';

const IMAGE = imageOf('{}', 'layer');

it.each([
  [
    'ECR',
    400,
    'TAG_INVALID',
    "The image tag '1' already exists in the 'a' repository and cannot be overwritten because the repository is immutable.",
  ],
  ['Harbor', 412, 'PRECONDITION', "Failed to process request due to 'a:1' configured as immutable."],
  ['Artifact Registry', 403, 'DENIED', 'cannot update tag 1. The repository has enabled tag immutability'],
  [
    'Azure',
    405,
    'DENIED',
    'The operation is disallowed on this registry, repository or image. View troubleshooting steps.',
  ],
  ['Nexus', 400, 'UNKNOWN', 'Repository does not allow updating assets: a'],
])('%s’s refusal of a tag that it keeps ends the push at once', async (_, status, code, message) => {
  const reply = { status, body: errorBody(code, message) };
  const server = await hostile([{ on: 'PUT /v2/a/manifests/1', reply }]);
  await expect(clientFor().putManifest(referenceTo(`${server.host}/a:1`), IMAGE)).rejects.toMatchObject({
    type: 'TagImmutable',
    retryable: false,
    message: expect.stringContaining(`${server.host}/a:1`),
  });
  expect(server.seen.map(({ method }) => method)).toEqual(['PUT', 'HEAD']);
});

it('a refusal for what the tag holds already is none', async () => {
  const { digest, mediaType, size } = IMAGE.descriptor;
  const headers = {
    'content-type': mediaType,
    'docker-content-digest': digest,
    'content-length': String(size),
  };
  const server = await hostile([
    {
      on: 'PUT /v2/a/manifests/1',
      reply: { status: 400, body: errorBody('TAG_INVALID', 'the tag is immutable') },
    },
    { on: 'HEAD /v2/a/manifests/1', reply: { status: 200, headers } },
  ]);
  await clientFor().putManifest(referenceTo(`${server.host}/a:1`), IMAGE);
});
