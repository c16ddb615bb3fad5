import type { Digest } from '../contract/brand.js';
import { digestOf } from '../registry/digest.js';

/** What JSON can say; `undefined` members are left out, as `JSON.stringify` does. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** JSON with its names sorted by code unit and no white space: equal values give equal bytes. */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, member]) =>
      member === undefined ? [] : [`${JSON.stringify(name)}:${canonicalJson(member)}`],
    );
  return `{${members.join(',')}}`;
}

/** The digest of a value's {@link canonicalJson}. */
export const digestOfJson = (value: Json): Digest => digestOf(canonicalJson(value));
