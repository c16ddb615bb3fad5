import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { parseReference } from '../../src/registry/reference.js';
import { metered, TrafficMeter } from '../../src/registry/traffic.js';
import { startRegistry } from '../support/registry-server.js';
import { blobOf, clientFor } from './kit.js';

it('two pieces of work that share a client and its connections are each counted their own', async () => {
  const registry = await startRegistry();
  const client = clientFor();
  const repository = parseReference(`${registry.host}/a/b`);
  try {
    const work = async (content: string): Promise<TrafficMeter> => {
      const meter = new TrafficMeter();
      const blob = blobOf(content);
      await metered(meter, async () => {
        await client.ensureBlob(repository, blob, () => Readable.from([Buffer.from(content)]), {});
        expect(await text(await client.blob(repository, blob))).toBe(content);
      });
      return meter;
    };
    const [small, large] = await Promise.all([work('x'.repeat(10)), work('y'.repeat(300_000))]);
    expect(small.stats()).toMatchObject([{ host: registry.host, bytesIn: 10, bytesOut: 10 }]);
    expect(large.stats()).toMatchObject([{ host: registry.host, bytesIn: 300_000, bytesOut: 300_000 }]);
    const counted = [small, large].flatMap((meter) => meter.stats().map(({ requests }) => requests));
    const [worker] = client.stats();
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(worker?.requests);
  } finally {
    await client.close();
    await registry.stop();
  }
});

it('a registry that sends us to ever new hosts fills no memory', () => {
  const meter = new TrafficMeter();
  for (let index = 0; index < 1000; index++) meter.of(`s${index}.example.com`).requests++;
  expect(meter.stats()).toHaveLength(201);
  expect(meter.stats().at(-1)).toMatchObject({ host: 'other hosts', requests: 800 });
});
