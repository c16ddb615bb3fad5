import { expandAll, imageVariables } from '../config/variables.js';
import type { BuildTask } from '../contract/activities.js';
import { MARK } from '../contract/names.js';
import { type ParsedReference, splitReference } from '../registry/reference.js';

const OCI = 'org.opencontainers.image.';

type Labelled = Pick<BuildTask, 'runId' | 'runStartedAt' | 'source' | 'sourceDigest' | 'build'>;

/**
 * The labels to set on one platform's config, over those that upstream has. All are fixed by source and template, so
 * the same two give the same digest on any day, unless the template asks for something of the run (`${run.id}`,
 * `${run.time}`); what differs per run otherwise is in the report.
 *
 * - The three marks: always ours.
 * - The template's labels, with their variables in place: win over upstream's and over the defaults.
 * - `org.opencontainers.image.*` (image-spec, annotations.md), only where upstream has none: `title` the repository's
 *   last part, `vendor` the part before it, `version` the tag, `source` the page of the upstream repository (where its
 *   code is cannot be known from a registry), `base.name` and `base.digest` the source (only both together: one of
 *   ours beside one of theirs would describe an image that does not exist).
 *
 * @param upstream the labels of the source's config.
 */
export function labelsFor(
  task: Labelled,
  upstream: Readonly<Record<string, string>>,
): Record<string, string> {
  const { source, sourceDigest, build } = task;
  const has = (name: string): boolean => Object.hasOwn(upstream, `${OCI}${name}`);
  const derived = Object.entries(describe(splitReference(source))).filter(([name]) => !has(name));
  const base = { 'base.name': source, 'base.digest': sourceDigest };
  const defaults = has('base.name') || has('base.digest') ? derived : [...derived, ...Object.entries(base)];
  return {
    ...Object.fromEntries(defaults.map(([name, value]) => [`${OCI}${name}`, value])),
    ...expandAll(build.labels, imageVariables(task)),
    [MARK.source]: source,
    [MARK.sourceDigest]: sourceDigest,
    [MARK.templateDigest]: build.templateDigest,
  };
}

/** The annotations of the top manifest or index, where its type takes any. */
export function annotationsFor(task: Labelled): Record<string, string> {
  const { sourceDigest, build } = task;
  return {
    ...expandAll(build.annotations, imageVariables(task)),
    [MARK.sourceDigest]: sourceDigest,
    [MARK.templateDigest]: build.templateDigest,
  };
}

function describe({ host, path, tag }: ParsedReference): Record<string, string> {
  const parts = path.split('/');
  const title = parts.at(-1) ?? path;
  const vendor = parts.at(-2);
  return {
    title,
    ...(tag === null ? {} : { version: tag }),
    // Docker Hub's `library` is a namespace of many vendors.
    ...(vendor === undefined || vendor === 'library' ? {} : { vendor }),
    source: pageOf(host, path),
  };
}

/** Docker Hub's pages are on another host than its registry; elsewhere (ghcr.io, quay.io, gcr.io) the name leads there. */
function pageOf(host: string, path: string): string {
  if (host !== 'docker.io') return `https://${host}/${path}`;
  return path.startsWith('library/')
    ? `https://hub.docker.com/_/${path.slice('library/'.length)}`
    : `https://hub.docker.com/r/${path}`;
}
