import { expect } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import { startRelay } from './relay.js';
import { expectTruth } from './truth.js';
import { AIM, openWorld } from './world.js';

/** The hex of the digest of the blob whose upload this request ends. */
function blobOf(url: string): string {
  const [, hex] = /[?&]digest=sha256(?::|%3A)([0-9a-f]{64})/i.exec(url) ?? [];
  if (hex === undefined) throw new Error(`${url} ends no upload`);
  return hex;
}

faultCase(
  'worker',
  'cut off from Temporal in the midst of a push, while it still reaches the registry',
  async () => {
    const world = await openWorld({ images: ({ repository }) => repository === AIM });
    const relay = await startRelay(world.env.TEMPORAL_ADDRESS);
    await startWorkerProcess({ ...world.env, TEMPORAL_ADDRESS: relay.address });
    let begun = (): void => {};
    const pushing = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const goesOn = world.target.meet(
      { method: 'PUT', url: /\/ci\/harness\/ci-addon\/blobs\/uploads\// },
      async ({ url }) => {
        relay.cut();
        begun();
        // Until the other worker sends the same blob: from here on both write.
        await world.target.meet({ method: 'PUT', url: new RegExp(blobOf(url)) }, async () =>
          expect(await world.pending(run)).toContainEqual(
            expect.objectContaining({ type: 'pushImage', attempt: 2, started: true }),
          ),
        );
      },
    );
    const run = await world.start();
    await pushing;
    const content = `${world.factory.directory}/content-of-another`;
    await startWorkerProcess({ ...world.env, CONTENT_DIR: content });
    await goesOn;
    const end = await expectTruth(world, run);
    expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored']);
    expect(end.report.accounts).toMatchObject([{ kind: 'updated' }]);
    return 'another worker does the step again beside it; the image is verified, the account updated once';
  },
);
