/**
 * Edits JSON without rewriting it: a change splices the text, so every byte outside it survives (unknown fields, member
 * order, integer-like keys, numbers beyond 2^53, escapes, white space). `JSON.parse` and `JSON.stringify` keep none of
 * the last four, and a digest covers all of them.
 */

/** The document can't be edited safely; the message names the place, never the content. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

/** A range of UTF-16 units of the document's text, the end excluded. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface JsonObject extends Span {
  readonly kind: 'object';
  readonly members: readonly JsonMember[];
}
/** From the key's first quote to the value's end. */
export interface JsonMember extends Span {
  readonly key: string;
  readonly value: JsonValue;
}
export interface JsonArray extends Span {
  readonly kind: 'array';
  readonly items: readonly JsonValue[];
}
export interface JsonString extends Span {
  readonly kind: 'string';
  readonly value: string;
}
export interface JsonLiteral extends Span {
  readonly kind: 'number' | 'boolean' | 'null';
}
export type JsonValue = JsonObject | JsonArray | JsonString | JsonLiteral;

export interface JsonDocument {
  readonly text: string;
  readonly root: JsonValue;
}

/** Puts `text` where the span is; an empty span inserts. */
export interface Edit extends Span {
  readonly text: string;
}

/** Image documents nest less than ten deep; this bounds the recursion below. */
const MAX_DEPTH = 128;

/**
 * Reads strict RFC 8259 JSON in UTF-8 without a byte order mark (section 8.1).
 *
 * @throws JsonError when the bytes are no such document, or nest deeper than 128.
 */
export function parseJson(bytes: Uint8Array): JsonDocument {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonError('it is not valid UTF-8');
  }
  if (text.startsWith('\ufeff')) throw new JsonError('it starts with a byte order mark');
  try {
    JSON.parse(text); // the grammar; what follows may rely on it
  } catch {
    throw new JsonError('it is not valid JSON'); // V8's message quotes the document
  }
  return { text, root: scan(text) };
}

/** Finds the spans in a text that is known to be valid JSON. */
function scan(text: string): JsonValue {
  let at = 0;
  const next = (): string => {
    while (' \t\n\r'.includes(text.charAt(at))) at += 1;
    return text.charAt(at);
  };
  const string = (): JsonString => {
    const start = at;
    at += 1;
    while (text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1;
    at += 1;
    const value = JSON.parse(text.slice(start, at)) as string; // the slice is one valid JSON string
    return { kind: 'string', start, end: at, value };
  };
  const member = (depth: number): JsonMember => {
    next();
    const { start, value: key } = string();
    next();
    at += 1; // the colon
    const value = read(depth);
    return { start, end: value.end, key, value };
  };
  const list = <T>(close: string, one: () => T): T[] => {
    at += 1;
    const found: T[] = [];
    while (next() !== close) {
      if (text.charAt(at) === ',') at += 1;
      found.push(one());
    }
    at += 1;
    return found;
  };
  const read = (depth: number): JsonValue => {
    if (depth > MAX_DEPTH) throw new JsonError(`it nests deeper than ${MAX_DEPTH}`);
    const first = next();
    const start = at;
    if (first === '{') {
      const members = list('}', () => member(depth + 1));
      return { kind: 'object', start, end: at, members };
    }
    if (first === '[') {
      const items = list(']', () => read(depth + 1));
      return { kind: 'array', start, end: at, items };
    }
    if (first === '"') return string();
    while (at < text.length && !' \t\n\r,]}'.includes(text.charAt(at))) at += 1;
    const kind = first === 'n' ? 'null' : first === 't' || first === 'f' ? 'boolean' : 'number';
    return { kind, start, end: at };
  };
  return read(0);
}

/** @throws JsonError when the value is no object. `where` names it. */
export function objectOf(value: JsonValue, where: string): JsonObject {
  if (value.kind !== 'object') throw new JsonError(`${where} is not an object`);
  return value;
}

/**
 * The value of a field of a document. Keys that differ only in case count as the same: Go's decoder, which every
 * container runtime uses, reads either, so an edit of one might not be what a runtime sees.
 *
 * @throws JsonError when any key of the object is there twice, or this one in another case.
 */
export function fieldOf(object: JsonObject, key: string, where: string): JsonValue | undefined {
  assertUnique(object, where, (text) => text.toLowerCase());
  const found = object.members.find((member) => member.key.toLowerCase() === key.toLowerCase());
  if (found !== undefined && found.key !== key)
    throw new JsonError(`${where} spells ${JSON.stringify(key)} as ${JSON.stringify(found.key)}`);
  return found?.value;
}

function assertUnique(object: JsonObject, where: string, fold: (key: string) => string): void {
  const seen = new Set<string>();
  for (const { key } of object.members) {
    if (seen.has(fold(key))) throw new JsonError(`${where} has the key ${JSON.stringify(key)} twice`);
    seen.add(fold(key));
  }
}

export const replace = (span: Span, text: string): Edit => ({ start: span.start, end: span.end, text });

/**
 * Sets members to JSON texts. Values that are equal already keep their bytes; new members follow the last one, in the
 * order given, with the white space that it has.
 *
 * @throws JsonError when any key of the object is there twice.
 */
export function setMembers(
  { text }: JsonDocument,
  object: JsonObject,
  entries: Iterable<readonly [key: string, json: string]>,
  where: string,
): Edit[] {
  assertUnique(object, where, (key) => key);
  const edits: Edit[] = [];
  const added: string[] = [];
  const last = object.members.at(-1);
  const before = object.members.at(-2)?.end ?? object.start;
  const lead = last === undefined ? '' : text.slice(before, last.start).replace(/^\s*[{,]/, '');
  const gap = last === undefined ? '' : /\s*$/.exec(text.slice(last.start, last.value.start))?.[0];
  for (const [key, json] of entries) {
    const value = object.members.find((member) => member.key === key)?.value;
    if (value === undefined) added.push(`${lead}${JSON.stringify(key)}:${gap}${json}`);
    else if (value.kind !== 'string' || JSON.stringify(value.value) !== json)
      edits.push(replace(value, json));
  }
  if (added.length === 0) return edits;
  const at = last?.end ?? object.start + 1;
  const separator = last === undefined ? '' : ',';
  return [...edits, { start: at, end: at, text: separator + added.join(',') }];
}

/** Puts JSON texts behind the last element of an array, with the white space that it has. */
export function appendItems({ text }: JsonDocument, array: JsonArray, items: readonly string[]): Edit[] {
  if (items.length === 0) return [];
  const last = array.items.at(-1);
  const before = array.items.at(-2)?.end ?? array.start;
  const lead = last === undefined ? '' : text.slice(before, last.start).replace(/^\s*[[,]/, '');
  const at = last?.end ?? array.start + 1;
  const separator = last === undefined ? '' : ',';
  return [{ start: at, end: at, text: separator + items.map((item) => lead + item).join(',') }];
}

/** Takes elements of one array, or members of one object, out with a comma each. */
export function removeUnless(siblings: readonly Span[], keep: (position: number) => boolean): Edit[] {
  const edits: Edit[] = [];
  let keptBefore = false;
  for (const [position, span] of siblings.entries()) {
    if (keep(position)) keptBefore = true;
    else if (keptBefore) edits.push({ start: siblings[position - 1]?.end ?? 0, end: span.end, text: '' });
    else edits.push({ start: span.start, end: siblings[position + 1]?.start ?? span.end, text: '' });
  }
  return edits;
}

/** The document's bytes with the edits made. @throws Error when two edits overlap. */
export function applyEdits({ text }: JsonDocument, edits: readonly Edit[]): Buffer {
  const parts: string[] = [];
  let at = 0;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    if (edit.start < at) throw new Error('edits overlap');
    parts.push(text.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  return Buffer.from(parts.join('') + text.slice(at), 'utf8');
}
