import { isDeepStrictEqual } from 'node:util';
import type { Instruction } from './instructions.js';

/** The fields of a config's `config` that an instruction changes (moby, image spec v1.2). */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  CMD: ['Cmd'],
  // It takes back the arguments that the base has for its own.
  ENTRYPOINT: ['Entrypoint', 'Cmd'],
  ENV: ['Env'],
  EXPOSE: ['ExposedPorts'],
  HEALTHCHECK: ['Healthcheck'],
  ONBUILD: ['OnBuild'],
  SHELL: ['Shell'],
  STOPSIGNAL: ['StopSignal'],
  USER: ['User'],
  VOLUME: ['Volumes'],
  WORKDIR: ['WorkingDir'],
};

type Fields = Readonly<Record<string, unknown>>;

/**
 * What instructions changed in a config: only fields that one of them is about, and of those only what differs. The
 * engine's config has other differences (a default `PATH`, fields that it does not know): those are not the template's.
 *
 * @param before the source's `config`
 * @param after the engine's
 * @param triggers whether the source had instructions for whoever builds on it, which a build uses up
 * @returns fields with their JSON texts
 */
export function changedFields(
  instructions: readonly Instruction[],
  before: Fields,
  after: Fields,
  triggers: boolean,
): (readonly [field: string, json: string])[] {
  const names = new Set(instructions.flatMap(({ keyword }) => FIELDS[keyword] ?? []));
  if (triggers) names.add('OnBuild');
  return [...names].flatMap((name) => {
    const value = name === 'Env' ? environment(instructions, before.Env, after.Env) : after[name];
    if (name === 'User' && value === 'root' && emptyAsNull(before.User) === null) return []; // the same user
    return isDeepStrictEqual(emptyAsNull(before[name]), emptyAsNull(value))
      ? []
      : [[name, JSON.stringify(value ?? null)] as const];
  });
}

/** Without the `PATH` that BuildKit gives to a base that has none, unless an instruction sets it. */
function environment(instructions: readonly Instruction[], before: unknown, after: unknown): unknown {
  const isPath = (entry: unknown): boolean => typeof entry === 'string' && entry.startsWith('PATH=');
  const sets = instructions.some(
    ({ keyword, rest }) => keyword === 'ENV' && /(?:^|\s)"?PATH[\s="]/.test(rest),
  );
  if (!Array.isArray(after) || sets || (Array.isArray(before) && before.some(isPath))) return after;
  return after.filter((entry) => !isPath(entry));
}

const emptyAsNull = (value: unknown): unknown => {
  if (value === undefined || value === '') return null;
  if (typeof value !== 'object' || value === null) return value;
  return Object.keys(value).length === 0 ? null : value;
};
