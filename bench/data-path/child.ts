import '../../src/worker/compile-at-once.js';
import { type MirrorOptions, mirrorFleet } from './mirror.js';

/** So many images are enough for V8 to compile what a long-lived worker has compiled long before a night's run. */
const WARM_UP_IMAGES = 5;

/** One measured run in a process of its own: options as JSON in, figures as JSON out. */
const [, , json = ''] = process.argv;
// Written by the bench beside this file.
const options = JSON.parse(json) as MirrorOptions;
if (options.warm) {
  await mirrorFleet({
    ...options,
    target: `${options.source}/warm-up-${process.pid}`,
    images: options.images.slice(0, WARM_UP_IMAGES),
    contentDir: `${options.contentDir}-warm-up/content`,
  });
}
process.stdout.write(JSON.stringify(await mirrorFleet(options)));
