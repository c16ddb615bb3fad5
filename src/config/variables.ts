import type { Digest, Reference } from '../contract/brand.js';
import { hexOf } from '../registry/digest.js';
import { splitReference } from '../registry/reference.js';
import { didYouMean, quoted } from './suggest.js';

/** What `${…}` stands for, by its name without the braces. */
export type Variables = Readonly<Record<string, string>>;

/** `$${` writes `${` itself. */
const PART = /\$\$\{|\$\{([^}]*)(\}?)/g;
const ENV = 'env.';

/** Those that every value of an image may have: labels, annotations, build arguments, tags. */
export const IMAGE_VARIABLES = ['source.digest', 'source.tag', 'run.id', 'run.time'] as const;

/** The same of a run that has no image in hand. */
export const RUN_VARIABLES = ['run.id', 'run.time'] as const;

const isEnvName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name);

/** The names of variables of the worker that a text asks for by `${env.NAME}`. */
export const envNamesIn = (text: string): string[] =>
  [...text.matchAll(PART)].flatMap(([, name]) => (name?.startsWith(ENV) ? [name.slice(ENV.length)] : []));

/** Why a text can't be expanded with these variables (and the worker's own, `${env.NAME}`); nothing when it can. */
export function variableFaults(text: string, known: readonly string[]): string[] {
  return [...text.matchAll(PART)].flatMap(([, name, closed]) => {
    if (name === undefined) return [];
    if (closed === '') return ['has a ${ without its }: write $${ for the characters themselves'];
    if (known.includes(name)) return [];
    if (name.startsWith(ENV))
      return isEnvName(name.slice(ENV.length)) ? [] : [`has ${quoted(name)}, which names no variable`];
    const names = [...known, 'env.NAME'].map((one) => `\${${one}}`).join(', ');
    return [
      `has the unknown variable ${quoted(name)}${didYouMean(name, known)}: here are ${names}, and $\${ for the characters themselves`,
    ];
  });
}

/**
 * A text with its variables in place.
 *
 * @throws Error that names a variable without a value: the schemas let none pass, so it is a mistake of ours
 */
export const expand = (text: string, variables: Variables): string =>
  text.replace(PART, (_, name: string | undefined) => {
    if (name === undefined) return '${';
    if (Object.hasOwn(variables, name)) return variables[name] ?? '';
    throw new Error(`\${${name}} has no value here`);
  });

/** All values of a record, expanded. */
export const expandAll = (
  values: Readonly<Record<string, string>>,
  variables: Variables,
): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, expand(value, variables)]));

/**
 * A text with the worker's variables in place and all others as they were, to be expanded later.
 *
 * @param valueFor never with `${` in it, or `$` at its end: {@link envValueFault} says so first
 */
export const expandEnv = (text: string, valueFor: (name: string) => string): string =>
  text.replace(PART, (whole, name: string | undefined) =>
    name?.startsWith(ENV) ? valueFor(name.slice(ENV.length)) : whole,
  );

/** Why a variable's value can't stand in a template; undefined when it can. The value is never shown. */
export function envValueFault(value: string): string | undefined {
  if (value.length > 1000) return 'is longer than 1000 characters';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(value)) return 'has more than one line, or control characters';
  // It would be expanded once more when the image is made.
  if (value.includes('${') || value.endsWith('$')) return 'has ${ in it, or $ at its end';
  return undefined;
}

/** An image of a run, as far as templates may name it. */
export interface VariableSource {
  runId: string;
  /** ISO 8601 UTC. Absent: a run of an older version, where `${run.time}` is empty. */
  runStartedAt?: string;
  source: Reference;
  sourceDigest: Digest;
}

/** {@link IMAGE_VARIABLES} of an image: the same in build, push and verify. */
export const imageVariables = ({ runId, runStartedAt, source, sourceDigest }: VariableSource): Variables => ({
  'source.digest': sourceDigest,
  'source.tag': splitReference(source).tag ?? '',
  'run.id': runId,
  'run.time': runStartedAt ?? '',
});

/** The same as parts of a tag, which takes no `:`: the digest's 64 hex digits alone, and the time with `-`. */
export const tagVariables = (of: VariableSource): Variables => ({
  ...imageVariables(of),
  'source.digest': hexOf(of.sourceDigest),
  'run.time': (of.runStartedAt ?? '').replaceAll(':', '-'),
});
