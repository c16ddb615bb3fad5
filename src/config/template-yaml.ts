import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { messageOf } from '../common/errors.js';
import { looksLikeKey } from './looks-like-key.js';
import { didYouMean, quoted } from './suggest.js';

/** Enough for anchors that save writing, far too few for a document that explodes. */
const MAX_ALIASES = 50;
const MAX_FAULTS = 50;

export type Parsed<T> = { ok: true; value: T } | { ok: false; faults: string[] };

/** What a document says, and a way to say of one of its places what only the world outside can tell. */
export interface Read<T> {
  ok: true;
  value: T;
  /** A fault with the line of what lies at `path`. */
  fault(path: readonly PropertyKey[], message: string): string;
}

/** The line of the deepest node on `path` that the document has; 0 when there is none. */
function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent: unknown = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const last = path[depth - 1];
    if (isMap(parent)) {
      // The key's line, not the value's: a block value begins below what a person looks for.
      for (const { key } of parent.items)
        if (isNode(key) && String(key) === String(last)) return lines.linePos(key.range[0]).line;
    }
    const node: unknown = document.getIn(path.slice(0, depth), true);
    if (isNode(node)) return lines.linePos(node.range[0]).line;
  }
  return 0;
}

const isNode = (node: unknown): node is { range: [number, number, number] } =>
  typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);

/** The line on which a line of a text stands, where the document has the text as it is (`|`); else where it begins. */
function lineInText(
  document: Document.Parsed,
  lines: LineCounter,
  path: readonly PropertyKey[],
  line: number,
): number {
  const node: unknown = document.getIn(path, true);
  if (!isScalar(node) || node.type !== 'BLOCK_LITERAL' || !isNode(node)) return lineOf(document, lines, path);
  return lines.linePos(node.range[0]).line + line;
}

/** `policy.exceptions[0].id`, as a person writes it. */
const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('');

const at = (line: number): string => (line > 0 ? `line ${line}: ` : '');

/**
 * Reads one YAML 1.2 document of plain data (core schema, no custom tags, few aliases) by a schema. Every fault is named,
 * with its line where it has one.
 */
export function parseTemplate<T>(
  text: string,
  schema: z.ZodType<T>,
): Read<T> | { ok: false; faults: string[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    customTags: [],
    uniqueKeys: true,
    lineCounter: lines,
    prettyErrors: false,
  });
  // An unknown tag is only a warning of the parser, but nothing that we mean.
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0)
    return {
      ok: false,
      faults: broken
        .slice(0, MAX_FAULTS)
        .map(({ pos, message }) => `${at(lines.linePos(pos[0]).line)}${message}`),
    };
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {};
  } catch (error) {
    return { ok: false, faults: [messageOf(error)] };
  }
  if (looksLikeKey(text)) return { ok: false, faults: ['it holds what looks like a key: take it out'] };
  const read = schema.safeParse(data);
  const fault = (path: readonly PropertyKey[], message: string, line?: number): string => {
    const where = pathText(path);
    const on = line === undefined ? lineOf(document, lines, path) : lineInText(document, lines, path, line);
    return `${at(on)}${where === '' ? 'the template' : where} ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  };
  if (read.success) return { ok: true, value: read.data, fault };
  const faults = read.error.issues.flatMap(flatten).flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      const where = pathText(issue.path);
      return issue.keys.map((key) => {
        const inside = where === '' ? '' : ` in ${where}`;
        const known = knownAt(schema, issue.path);
        return `${at(lineOf(document, lines, [...issue.path, key]))}unknown field ${quoted(key)}${inside}${didYouMean(key, known)}`;
      });
    }
    // A record's key is wrapped by zod in a fault of its own.
    const message =
      issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    return [fault(issue.path, message, lineParam(issue))];
  });
  return { ok: false, faults: inOrder(faults).slice(0, MAX_FAULTS) };
}

/** The line inside a text that a schema of ours found the fault on. */
function lineParam(issue: z.core.$ZodIssue): number | undefined {
  if (issue.code !== 'custom') return undefined;
  const line: unknown = issue.params?.line;
  return typeof line === 'number' ? line : undefined;
}

/** The faults of a union's one option that what was written has the form of; zod only says that no option fits. */
function flatten(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const near = issue.errors.find((option) =>
    option.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
  );
  if (near === undefined) return [issue];
  return near.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }));
}

const lineNumber = (fault: string): number => Number(/^line (\d+):/.exec(fault)?.[1] ?? 0);

/** As one reads the file. */
const inOrder = (faults: readonly string[]): string[] =>
  [...faults].sort((a, b) => lineNumber(a) - lineNumber(b)); // stable

/** The names that a schema knows at a path, for "did you mean". */
function knownAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  for (const part of path) {
    current = objectOf(unwrap(current));
    if (!hasShape(current)) current = elementOf(current);
    else current = current.shape[String(part)];
  }
  current = objectOf(unwrap(current));
  return hasShape(current) ? Object.keys(current.shape) : [];
}

const hasShape = (value: unknown): value is { shape: Record<string, unknown> } =>
  typeof value === 'object' && value !== null && 'shape' in value && typeof value.shape === 'object';

/** Of a union, the option that has fields. */
const objectOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'options' in value && Array.isArray(value.options)
    ? (value.options.find(hasShape) ?? value)
    : value;

const elementOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'element' in value ? value.element : undefined;

/** Takes defaults off. */
function unwrap(value: unknown): unknown {
  let current = value;
  while (
    typeof current === 'object' &&
    current !== null &&
    'unwrap' in current &&
    typeof current.unwrap === 'function'
  ) {
    if ('element' in current) return current; // an array's unwrap is its element
    current = current.unwrap();
  }
  return current;
}
