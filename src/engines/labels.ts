import type { BuildTask } from '../contract/activities.js';
import { MARK } from '../contract/names.js';
import { type ParsedReference, splitReference } from '../registry/reference.js';

const OCI = 'org.opencontainers.image.';

/**
 * The labels to set on one platform's config, over those that upstream has. All are fixed by source and template, so
 * the same two give the same digest on any day; what differs per run is in the report.
 *
 * - The three marks: always ours.
 * - The template's labels: win over upstream's and over the defaults.
 * - `org.opencontainers.image.*` (image-spec, annotations.md), only where upstream has none: `title` the repository's
 *   last part, `vendor` the part before it, `version` the tag, `source` the page of the upstream repository (where its
 *   code is cannot be known from a registry), `base.name` and `base.digest` the source (only both together: one of
 *   ours beside one of theirs would describe an image that does not exist).
 *
 * @param upstream the labels of the source's config.
 */
export function labelsFor(
  task: Pick<BuildTask, 'source' | 'sourceDigest' | 'build'>,
  upstream: Readonly<Record<string, string>>,
): Record<string, string> {
  const { source, sourceDigest, build } = task;
  const has = (name: string): boolean => Object.hasOwn(upstream, `${OCI}${name}`);
  const derived = Object.entries(describe(splitReference(source))).filter(([name]) => !has(name));
  const base = { 'base.name': source, 'base.digest': sourceDigest };
  const defaults = has('base.name') || has('base.digest') ? derived : [...derived, ...Object.entries(base)];
  return {
    ...Object.fromEntries(defaults.map(([name, value]) => [`${OCI}${name}`, value])),
    ...build.labels,
    [MARK.source]: source,
    [MARK.sourceDigest]: sourceDigest,
    [MARK.templateDigest]: build.templateDigest,
  };
}

/** The annotations of the top manifest or index, where its type takes any. */
export function annotationsFor({
  sourceDigest,
  build,
}: Pick<BuildTask, 'sourceDigest' | 'build'>): Record<string, string> {
  return {
    ...build.annotations,
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
