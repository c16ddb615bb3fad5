import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 on Node 20 compile everything at once, plainly, rather than interpret it until it is known to be used much: a
 * worker runs nearly the same JavaScript for every image. Newer V8s have a better compiler for that in between. When it
 * optimises is left to V8: later than that spares a first mirror of small images nothing that could be measured, and
 * costs large ones a twentieth of their CPU time (issue 5).
 *
 * Imported for its effect, before anything that runs.
 */
if (process.versions.node.startsWith('20.')) setFlagsFromString('--always-sparkplug');
