import { basename, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { TEMPLATE_NAME } from './input-fields.js';
import { codeOf, readBelow } from './template-files.js';
import { FILES, type Found, MAX_TEMPLATE, TEMPLATE_KINDS, type TemplateKind } from './template-load.js';
import { buildPushSchema, gatherScanSchema } from './template-schemas.js';
import { type Description, describeBuildPush, describeGatherScan } from './template-summary.js';
import { readBuildPush, readGatherScan } from './templates.js';

/** What a template does, in short, and what it wants of a worker. */
export interface TemplateSummary extends Description {
  kind: TemplateKind;
  name: string;
  /** Names that the worker's `ALLOWED_TEMPLATE_ENV` must have. */
  templateEnv: string[];
}

export type TemplateCheck = { ok: true; summary: TemplateSummary } | { ok: false; faults: string[] };

/**
 * Checks a file as a worker would read it, with the files that it names. Which variables a worker gives is the worker's:
 * they are listed, not asked for.
 *
 * @param kind when absent, the name of the file's folder says it, or what is in it
 */
export async function checkTemplate(path: string, kind?: TemplateKind): Promise<TemplateCheck> {
  const file = resolve(path);
  let bytes: Buffer;
  try {
    const found = await readBelow('/', file, { maxBytes: MAX_TEMPLATE, sizeText: '256 KiB', rootName: '/' });
    if (found === undefined) return { ok: false, faults: ['there is no such file'] };
    bytes = found.bytes;
  } catch (error) {
    const known = codeOf(error) === undefined && error instanceof Error;
    return { ok: false, faults: [known ? error.message : `it can’t be read (${String(codeOf(error))})`] };
  }
  const folder = dirname(file);
  const byFolder = TEMPLATE_KINDS.find((one) => one === basename(folder));
  const which = kind ?? byFolder ?? kindByContent(bytes.toString('utf8'));
  if (which === undefined)
    return {
      ok: false,
      faults: [
        'which kind of template it is can’t be told: put it into a folder gather-scan or build-push, or say --kind',
      ],
    };
  const name = basename(file).replace(/\.yaml$/, '');
  const asked = new Set<string>();
  const given = {
    templateVariable: (one: string) => {
      asked.add(one);
      return { value: '' };
    },
    stepVariableFault: () => undefined,
  };
  const found = { bytes, files: join(byFolder === undefined ? folder : dirname(folder), FILES) };
  const read = await describe(which, name, found, given);
  const faults = read.ok ? [] : [...read.faults];
  if (!TEMPLATE_NAME.test(name) || name === basename(file))
    faults.unshift(
      'its name is not <name>.yaml with lower-case letters, digits, . _ - in <name>: a worker would not find it',
    );
  if (!read.ok || faults.length > 0) return { ok: false, faults };
  return { ok: true, summary: { kind: which, name, ...read.description, templateEnv: [...asked].sort() } };
}

async function describe(
  kind: TemplateKind,
  name: string,
  found: Found,
  given: Parameters<typeof readBuildPush>[2],
): Promise<{ ok: true; description: Description } | { ok: false; faults: string[] }> {
  if (kind === 'gather-scan') {
    // The day only decides which exceptions still count, which changes no fault.
    const read = await readGatherScan(name, found, given, new Date().toISOString().slice(0, 10));
    return read.ok ? { ok: true, description: describeGatherScan(read.value) } : read;
  }
  const read = await readBuildPush(name, found, given);
  return read.ok ? { ok: true, description: describeBuildPush(read.value, read.captured) } : read;
}

/** The kind whose fields it has more of; undefined when there is no telling. */
function kindByContent(text: string): TemplateKind | undefined {
  let data: unknown;
  try {
    data = parse(text, { maxAliasCount: 50 });
  } catch {
    return undefined;
  }
  const names = typeof data === 'object' && data !== null ? Object.keys(data) : [];
  const known = (fields: object): number => names.filter((name) => Object.hasOwn(fields, name)).length;
  const difference = known(gatherScanSchema.shape) - known(buildPushSchema.shape);
  return difference === 0 ? undefined : difference > 0 ? 'gather-scan' : 'build-push';
}
