import { type MirrorOptions, mirrorFleet } from './mirror.js';

/** One measured run in a process of its own: options as JSON in, figures as JSON out. */
const [, , json = ''] = process.argv;
// Written by the bench beside this file.
const options = JSON.parse(json) as MirrorOptions;
process.stdout.write(JSON.stringify(await mirrorFleet(options)));
