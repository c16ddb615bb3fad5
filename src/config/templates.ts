import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import type { Digest } from '../contract/brand.js';
import type { BuildPushConfig, GatherScanConfig, Policy } from '../contract/run.js';
import { digestOfJson } from './canonical.js';
import { TEMPLATE_NAME } from './input-fields.js';
import { buildPushSchema, gatherScanSchema } from './template-schemas.js';
import { type Parsed, parseTemplate } from './template-yaml.js';

export type TemplateKind = 'gather-scan' | 'build-push';

const MAX_BYTES = 256 * 1024;

/** Beside `src` and beside `dist`: this module lies two folders below both. */
const BUILT_IN = fileURLToPath(new URL('../../templates/', import.meta.url));

/**
 * Covers the labels that every copy gets from the factory itself. Raise it when that set, or how bytes are made from a
 * template, changes: every copy is then made anew.
 */
const FORMAT = 1;

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;

/** A template's text from one folder; undefined when it has none of that name. @throws Error with the fault */
async function readFrom(root: string, kind: TemplateKind, name: string): Promise<string | undefined> {
  const folder = join(root, kind);
  let path: string;
  let home: string;
  try {
    home = await realpath(root);
    path = await realpath(join(folder, `${name}.yaml`));
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw new Error('it can’t be read');
  }
  if (!path.startsWith(home.endsWith(sep) ? home : home + sep))
    throw new Error('it is a link that leads out of TEMPLATE_DIR');
  const file = await open(path, 'r');
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new Error('it is not a file');
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    if (bytesRead > MAX_BYTES) throw new Error('it is larger than 256 KiB');
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * Finds a template by name, in `TEMPLATE_DIR` first and then among the built-in ones, and reads it.
 *
 * @returns the template, or every fault with the kind and name in front. No path is shown: it would be the worker's.
 */
export async function loadTemplate<T>(
  kind: TemplateKind,
  name: string,
  schema: z.ZodType<T>,
  templateDir: string | null,
): Promise<Parsed<T>> {
  const title = `${kind} template ${name}`;
  if (!TEMPLATE_NAME.test(name)) return { ok: false, faults: [`the ${kind} template’s name is not valid`] };
  try {
    const own = templateDir === null ? undefined : await readFrom(templateDir, kind, name);
    const text = own ?? (await readFrom(BUILT_IN, kind, name));
    if (text === undefined) {
      const place =
        templateDir === null ? 'TEMPLATE_DIR is not set' : `no ${kind}/${name}.yaml in TEMPLATE_DIR`;
      return { ok: false, faults: [`${title} does not exist: it is not built in, and ${place}`] };
    }
    const parsed = parseTemplate(text, schema);
    return parsed.ok ? parsed : { ok: false, faults: parsed.faults.map((fault) => `${title}: ${fault}`) };
  } catch (error) {
    // A message of the file system would show the worker's path.
    const why = codeOf(error) === undefined && error instanceof Error ? error.message : 'it can’t be read';
    return { ok: false, faults: [`${title} is not usable: ${why}`] };
  }
}

/**
 * The digest of what the policy says on a day. Exceptions that ran out by then are left out, so that an image they let
 * pass is scanned again when they end.
 *
 * @param today `YYYY-MM-DD`, UTC
 */
export function policyDigestOf(policy: Policy, today: string): Digest {
  const { failOn, fixableOnly, action, notScannable, maxDatabaseAgeHours } = policy;
  const exceptions = policy.exceptions
    .filter(({ expires }) => expires >= today)
    .map(({ id, package: name, expires }) => ({ id, package: name, expires }))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return digestOfJson({ failOn, fixableOnly, action, notScannable, maxDatabaseAgeHours, exceptions });
}

/** Loads and digests a template of gathering and scanning. */
export async function loadGatherScan(
  name: string,
  templateDir: string | null,
  today: string,
): Promise<Parsed<GatherScanConfig>> {
  const loaded = await loadTemplate('gather-scan', name, gatherScanSchema, templateDir);
  if (!loaded.ok) return loaded;
  const { sources, include, exclude, extraImages, scanners, policy: read } = loaded.value;
  const { maxDatabaseAge, ...rules } = read;
  const policy: Policy = { ...rules, maxDatabaseAgeHours: maxDatabaseAge };
  return {
    ok: true,
    value: {
      name,
      digest: digestOfJson({
        sources,
        include,
        exclude,
        extraImages,
        scanners,
        policy: { ...policy, exceptions: policy.exceptions.map((exception) => ({ ...exception })) },
      }),
      sources: [...new Set(sources)],
      include,
      exclude,
      extraImages,
      policy,
      policyDigest: policyDigestOf(policy, today),
    },
  };
}

/**
 * Loads and digests a template of building and pushing.
 *
 * @param platforms what the run's input asks for; it decides over the template's
 */
export async function loadBuildPush(
  name: string,
  templateDir: string | null,
  platforms: readonly string[] | undefined,
): Promise<Parsed<BuildPushConfig>> {
  const loaded = await loadTemplate('build-push', name, buildPushSchema, templateDir);
  if (!loaded.ok) return loaded;
  const { labels, annotations } = loaded.value;
  const bytes = {
    engine: 'registry' as const,
    // A set: the copy keeps the source's order of platforms, whatever the order here.
    platforms: [...new Set(platforms ?? loaded.value.platforms)].sort(),
    labels,
    annotations,
  };
  return { ok: true, value: { name, templateDigest: digestOfJson({ format: FORMAT, ...bytes }), ...bytes } };
}
