import { expect, vi } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import { startRelay } from './relay.js';
import { expectTruth } from './truth.js';
import { AIM, openWorld } from './world.js';

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
      async () => {
        relay.cut();
        begun();
        // Until the step was given to another one: from here on both write.
        await vi.waitFor(
          async () =>
            expect(await world.pending(run)).toContainEqual(
              expect.objectContaining({ type: 'pushImage', attempt: 2, started: true }),
            ),
          { timeout: 60_000, interval: 200 },
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
