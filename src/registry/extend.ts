import type { Digest } from '../contract/brand.js';
import {
  appendItems,
  applyEdits,
  type Edit,
  fieldOf,
  type JsonDocument,
  JsonError,
  objectOf,
  parseJson,
} from './json-edit.js';
import { setFields } from './relabel.js';
import type { Descriptor } from './types.js';

/** What a build adds to an image's config, and what it changes there. */
export interface ConfigExtension {
  /** Fields of `config` to set, as JSON texts. */
  run: readonly (readonly [field: string, json: string])[];
  /** Of the layers that were added. */
  diffIds: readonly Digest[];
  /** Entries to append, as JSON texts. */
  history: readonly string[];
  /** ISO 8601; absent: as it was. */
  created?: string;
}

/**
 * Extends an image config and touches nothing else: unknown fields, order and numbers stay as they are.
 *
 * @throws JsonError when the config is no JSON object, has no `rootfs.diff_ids`, or is ambiguous
 */
export function extendConfig(bytes: Buffer, { run, diffIds, history, created }: ConfigExtension): Buffer {
  const document = parseJson(bytes);
  const top = created === undefined ? [] : [['created', JSON.stringify(created)] as const];
  const root = objectOf(document.root, 'the config');
  const known = fieldOf(root, 'history', 'the config');
  const added: Edit[] = [];
  if (known?.kind === 'array') added.push(...appendItems(document, known, history));
  else if (known !== undefined && known.kind !== 'null')
    throw new JsonError('the config’s history is not an array');
  const makeHistory =
    history.length > 0 && known?.kind !== 'array' ? [['history', `[${history.join(',')}]`] as const] : [];
  const configNow = fieldOf(root, 'config', 'the config');
  // One edit for all that goes to the document's end: two at one place would have no order.
  const makeConfig =
    run.length > 0 && (configNow === undefined || configNow.kind === 'null')
      ? [['config', `{${run.map(([field, json]) => `${JSON.stringify(field)}:${json}`).join(',')}}`] as const]
      : [];
  return applyEdits(document, [
    ...added,
    ...appendTo(
      document,
      ['rootfs', 'diff_ids'],
      diffIds.map((one) => JSON.stringify(one)),
    ),
    ...setFields(document, [], [...top, ...makeHistory, ...makeConfig]),
    ...(makeConfig.length > 0 ? [] : setFields(document, ['config'], run)),
  ]);
}

/** Appends layers to an image manifest. @throws JsonError when it has no array of layers, or is ambiguous */
export function extendManifest(bytes: Buffer, layers: readonly Descriptor[]): Buffer {
  const document = parseJson(bytes);
  const texts = layers.map(({ mediaType, digest, size }) => JSON.stringify({ mediaType, digest, size }));
  return applyEdits(document, appendTo(document, ['layers'], texts));
}

function appendTo(document: JsonDocument, path: readonly string[], items: readonly string[]): Edit[] {
  if (items.length === 0) return [];
  let value = document.root;
  let where = 'the document';
  for (const key of path) {
    const next = fieldOf(objectOf(value, where), key, where);
    if (next === undefined) throw new JsonError(`${where} has no ${JSON.stringify(key)}`);
    where = where === 'the document' ? key : `${where}.${key}`;
    value = next;
  }
  if (value.kind !== 'array') throw new JsonError(`${where} is not an array`);
  return appendItems(document, value, items);
}
