import type { Digest } from '../contract/brand.js';
import {
  applyEdits,
  type Edit,
  fieldOf,
  type JsonDocument,
  JsonError,
  type JsonObject,
  type JsonValue,
  objectOf,
  parseJson,
  removeUnless,
  replace,
  setMembers,
} from './json-edit.js';
import { ATTESTATION_ANNOTATION } from './manifest.js';
import type { Descriptor } from './types.js';

/** Keys and values; what is set under a key that is there already replaces its value in place. */
export type StringMap = Readonly<Record<string, string>>;

/**
 * Sets labels in an image config (`config.Labels`) and touches nothing else. Absent or null `config` and `Labels` are
 * made; labels that are equal already keep their bytes, new ones are appended in sorted order.
 *
 * @throws JsonError when the config is no JSON object or is ambiguous (a key twice on the way to the labels).
 */
export function relabelConfig(bytes: Buffer, labels: StringMap): Buffer {
  const document = parseJson(bytes);
  return applyEdits(document, setMap(document, ['config', 'Labels'], labels));
}

/**
 * Points an image manifest at another config and sets its annotations. Give no annotations for Docker v2 types: their
 * schema has none.
 *
 * @throws JsonError when the manifest is no such JSON object or is ambiguous.
 */
export function relabelManifest(
  bytes: Buffer,
  change: { config: Descriptor; annotations?: StringMap },
): Buffer {
  const document = parseJson(bytes);
  const root = objectOf(document.root, 'the manifest');
  const config = objectOf(required(root, 'config', 'the manifest'), 'the manifest’s config');
  return applyEdits(document, [
    ...pointAt(document, config, change.config, 'the manifest’s config'),
    ...setMap(document, ['annotations'], change.annotations ?? {}),
  ]);
}

/**
 * Points entries of an index at other manifests, takes out those that `keep` refuses, and sets the index's annotations.
 * BuildKit's attestations are always taken out: they describe the manifests that were replaced (design, decision 3).
 * Give no annotations for Docker v2 manifest lists: their schema has none.
 *
 * @throws JsonError when the index is no such JSON object or is ambiguous.
 */
export function relabelIndex(
  bytes: Buffer,
  change: {
    replacements: ReadonlyMap<Digest, Descriptor>;
    keep: (position: number) => boolean;
    annotations?: StringMap;
  },
): Buffer {
  const document = parseJson(bytes);
  const root = objectOf(document.root, 'the index');
  const manifests = required(root, 'manifests', 'the index');
  if (manifests.kind !== 'array') throw new JsonError('the index’s manifests is not an array');
  const edits: Edit[] = [];
  const dropped = new Set<number>();
  for (const [position, item] of manifests.items.entries()) {
    const where = `entry ${position} of the index`;
    const entry = objectOf(item, where);
    if (!change.keep(position) || isAttestation(entry, where)) {
      dropped.add(position);
      continue;
    }
    const digest = required(entry, 'digest', where);
    // Only a lookup: text that is no digest is found nowhere.
    const by = digest.kind === 'string' ? change.replacements.get(digest.value as Digest) : undefined;
    if (by !== undefined) edits.push(...pointAt(document, entry, by, where));
  }
  edits.push(...removeUnless(manifests.items, (position) => !dropped.has(position)));
  return applyEdits(document, [...edits, ...setMap(document, ['annotations'], change.annotations ?? {})]);
}

function isAttestation(entry: JsonObject, where: string): boolean {
  const annotations = fieldOf(entry, 'annotations', where);
  return (
    annotations?.kind === 'object' &&
    annotations.members.some((member) => member.key === ATTESTATION_ANNOTATION)
  );
}

function required(object: JsonObject, key: string, where: string): JsonValue {
  const value = fieldOf(object, key, where);
  if (value === undefined) throw new JsonError(`${where} has no ${JSON.stringify(key)}`);
  return value;
}

/**
 * Replaces digest and size of a descriptor. Its embedded copy of the old content (`data`, image-spec, descriptor.md)
 * goes: it must match the digest, and clients fetch what is not embedded.
 */
function pointAt(document: JsonDocument, object: JsonObject, to: Descriptor, where: string): Edit[] {
  required(object, 'digest', where);
  const size = required(object, 'size', where);
  return [
    ...setMembers(document, object, [['digest', JSON.stringify(to.digest)]], where),
    ...(document.text.slice(size.start, size.end) === String(to.size)
      ? []
      : [replace(size, String(to.size))]),
    ...removeUnless(object.members, (position) => object.members[position]?.key !== 'data'),
  ];
}

function setMap(document: JsonDocument, path: readonly string[], entries: StringMap): Edit[] {
  const texts = Object.entries(entries).map(([key, value]) => [key, JSON.stringify(value)] as const);
  return setFields(document, path, texts);
}

/**
 * Sets entries of the object at a path of fields to JSON texts, in sorted order, and makes what is missing or null on
 * the way.
 * @throws JsonError when the document is ambiguous on that way
 */
export function setFields(
  document: JsonDocument,
  path: readonly string[],
  entries: readonly (readonly [key: string, json: string])[],
): Edit[] {
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (sorted.length === 0) return [];
  let where = 'the document';
  let object = objectOf(document.root, where);
  for (const [depth, key] of path.entries()) {
    const value = fieldOf(object, key, where);
    if (value === undefined || value.kind === 'null') {
      const map = `{${sorted.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;
      const nest = (json: string, name: string): string => `{${JSON.stringify(name)}:${json}}`;
      return setMembers(document, object, [[key, path.slice(depth + 1).reduceRight(nest, map)]], where);
    }
    where = path.slice(0, depth + 1).join('.');
    object = objectOf(value, where);
  }
  return setMembers(document, object, sorted, where);
}
