import type { BuildTask } from '../../src/contract/activities.js';
import type { Digest } from '../../src/contract/brand.js';
import { digestOf } from '../../src/registry/digest.js';
import { ref } from '../support/images.js';

/** What the workflow would send for a source image and a template with these parts. */
export const buildTask = (
  source: string,
  sourceDigest: Digest,
  template: Partial<BuildTask['build']> = {},
): BuildTask => ({
  runId: 'run',
  image: source,
  source: ref(source),
  sourceDigest,
  target: ref('target.example/mirror/image:1'),
  build: {
    name: 'default',
    templateDigest: digestOf('template'),
    engine: 'registry',
    platforms: [],
    labels: {},
    annotations: {},
    ...template,
  },
});
