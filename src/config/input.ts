import { isDeepStrictEqual } from 'node:util';
import { INPUT_ALIASES, type RunInput, runInputSchema } from '../contract/input.js';
import { splitList } from './environment-schema.js';
import { FIELD_CHECKS, INPUT_FIELDS, type InputField, inputVariable } from './input-fields.js';
import { looksLikeKey } from './looks-like-key.js';
import { didYouMean, quoted } from './suggest.js';

export { looksLikeKey } from './looks-like-key.js';

export type InputReading = { ok: true; input: RunInput } | { ok: false; faults: string[] };

/** What could be read, and what could not; `faulty` has the fields that are not in `input` because of a fault. */
export interface PartialInput {
  input: RunInput;
  faults: string[];
  faulty: ReadonlySet<InputField>;
}

/** A reading of a value that holds a key is refused by its path alone. */
const KEY_FAULT =
  'looks like a key itself: name where the worker finds it instead (env:NAME or file:/path), and revoke the key if this was shared';
const MAX_TEXT = 4096;
const MAX_DEPTH = 20;

/** Paths of strings (and of property names) that look like a key, or are too long to be looked at. */
function suspicious(value: unknown, path: string, depth = 0): string[] {
  if (typeof value === 'string') {
    if (value.length > MAX_TEXT) return [`${path} is longer than ${MAX_TEXT} characters`];
    return looksLikeKey(value) ? [`${path} ${KEY_FAULT}`] : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  if (depth > MAX_DEPTH) return [`${path} is nested too deep`];
  if (Array.isArray(value))
    return value.flatMap((item, index) => suspicious(item, `${path}[${index}]`, depth + 1));
  return Object.entries(value).flatMap(([name, item]) =>
    looksLikeKey(name) || name.length > MAX_TEXT
      ? [`the name of a field in ${path} ${KEY_FAULT}`]
      : suspicious(item, `${path}.${quoted(name).slice(1, -1)}`, depth + 1),
  );
}

/** Text from the environment or an alias as its field's own type; what can't be read stays, for the schema to refuse. */
function fromText(field: InputField, text: string): unknown {
  switch (field) {
    case 'modifyDefault':
    case 'scan':
    case 'dryRun':
      return { true: true, false: false }[text.trim().toLowerCase()] ?? text;
    case 'maxConcurrency':
      return /^\d{1,9}$/.test(text.trim()) ? Number(text) : text;
    case 'infra':
    case 'include':
    case 'exclude':
    case 'platforms':
      return splitList(text);
    default:
      return text.trim();
  }
}

/** Every fault of one field's value, without the value. */
function faultsOf(field: InputField, value: unknown, name: string): string[] {
  const read = runInputSchema.shape[field].safeParse(value);
  if (!read.success)
    return read.error.issues.map((issue) => {
      const at = issue.path.map((part) => `[${String(part)}]`).join('');
      return `${name}${at}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
    });
  // One field's check takes that field's own type, which its schema has just proved.
  const check = FIELD_CHECKS[field] as ((value: unknown) => string[]) | undefined;
  return check?.(read.data).map((fault) => `${name} ${fault}`) ?? [];
}

/** Reads what can be read; the base of {@link checkInput}, {@link parseRunInput} and the run's resolution. */
export function readInput(
  raw: unknown,
  defaults: Readonly<Partial<Record<InputField, string>>> = {},
): PartialInput {
  const faults: string[] = [];
  const faulty = new Set<InputField>();
  const values = new Map<InputField, { name: string; value: unknown }>();
  const isObject = typeof raw === 'object' && raw !== null && !Array.isArray(raw);
  // A workflow that was started without input gets undefined.
  if (raw !== undefined && !isObject) {
    const keys = suspicious(raw, 'the input');
    return { input: {}, faults: keys.length > 0 ? keys : ['the input must be one JSON object'], faulty };
  }
  for (const [name, given] of Object.entries(raw ?? {})) {
    const alias = Object.hasOwn(INPUT_ALIASES, name) ? INPUT_ALIASES[name] : undefined;
    const field = alias ?? INPUT_FIELDS.find((known) => known === name);
    const keys =
      looksLikeKey(name) || name.length > MAX_TEXT
        ? [`the name of a field ${KEY_FAULT}`]
        : suspicious(given, quoted(name).slice(1, -1));
    if (keys.length > 0) {
      faults.push(...keys);
      if (field !== undefined) faulty.add(field);
      continue;
    }
    if (field === undefined) {
      const known = [...INPUT_FIELDS, ...Object.keys(INPUT_ALIASES)];
      faults.push(`unknown field ${quoted(name)}${didYouMean(name, known)}`);
      continue;
    }
    const value = alias !== undefined && typeof given === 'string' ? fromText(field, given) : given;
    const other = values.get(field);
    if (other !== undefined && !isDeepStrictEqual(other.value, value)) {
      faults.push(`${other.name} and ${name} are two spellings of one field, with different values`);
      faulty.add(field);
    }
    values.set(field, { name, value });
  }
  for (const field of INPUT_FIELDS) {
    const text = defaults[field];
    if (text === undefined || values.has(field) || faulty.has(field)) continue;
    const name = `${inputVariable(field)} (the worker's environment)`;
    const keys = suspicious(text, name);
    if (keys.length > 0) {
      faults.push(...keys);
      faulty.add(field);
    } else values.set(field, { name, value: fromText(field, text) });
  }
  const good: Record<string, unknown> = {};
  for (const [field, { name, value }] of values) {
    const found = faultsOf(field, value, name);
    faults.push(...found);
    if (found.length > 0) faulty.add(field);
    else if (!faulty.has(field)) good[field] = value;
  }
  return { input: runInputSchema.parse(good), faults, faulty };
}

const asReading = ({ input, faults }: PartialInput): InputReading =>
  faults.length > 0 ? { ok: false, faults } : { ok: true, input };

/**
 * Checks the shape of an input alone, with no environment: names, types, grammar, and that nothing in it is a key.
 * The CLI calls it before it starts anything. No fault echoes a value.
 */
export const checkInput = (raw: unknown): InputReading => asReading(readInput(raw));

/** The input with the worker's environment where it is silent. Defaults are not filled in. */
export const parseRunInput = (
  raw: unknown,
  environment: { inputDefaults: Readonly<Partial<Record<InputField, string>>> },
): InputReading => asReading(readInput(raw, environment.inputDefaults));
