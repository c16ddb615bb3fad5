import type { Activities } from '../contract/activities.js';
import { discover } from '../harness/discovery.js';
import { readFollowed } from '../harness/followed.js';
import { readImages } from '../harness/images.js';
import { withTakenTags } from '../mirror/extra-tags.js';
import { writeDiscovery } from '../mirror/pages.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const discoverImages =
  ({ harness, evidence }: Dependencies): Activities['discoverImages'] =>
  ({ runId, config }) =>
    runStep(async ({ signal }) => {
      const { gatherScan, infra } = config;
      const { sources } = gatherScan;
      // A run of extra images alone asks Harness nothing, and needs no key.
      const client = sources.length === 0 ? null : harness(config.harness);
      const read = client === null ? null : await readImages(client, { infra, sources }, signal);
      const configs = await Promise.all(
        (read?.configs ?? []).map(async (one) => ({
          ...one,
          // Tells a person's pin from what our own runs set.
          followed: await readFollowed(
            evidence,
            { account: config.harness.account, infra: one.infra },
            signal,
          ),
        })),
      );
      const found = discover({
        configs,
        sources,
        includes: [gatherScan.include, config.include],
        exclude: [...gatherScan.exclude, ...config.exclude],
        extraImages: gatherScan.extraImages,
        sourceRegistries: config.sourceRegistries,
        registry: config.registry,
      });
      const images = withTakenTags(found, config.buildPush);
      return {
        pages: await writeDiscovery(evidence, runId, images, signal),
        images: images.length,
        fields: images.reduce((sum, { fields }) => sum + fields.length, 0),
        answeredBy: read?.answeredBy ?? 'none',
      };
    });
