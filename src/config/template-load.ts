import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import type { EvidenceRef } from '../contract/verdict.js';
import { TEMPLATE_NAME } from './input-fields.js';
import { TemplateContent } from './template-content.js';
import { type Captured, capture, codeOf, readBelow, TemplateFiles } from './template-files.js';
import type { TemplateSettings } from './template-settings.js';
import { parseTemplate } from './template-yaml.js';

export const TEMPLATE_KINDS = ['gather-scan', 'build-push'] as const;
export type TemplateKind = (typeof TEMPLATE_KINDS)[number];

/** In bytes. */
export const MAX_TEMPLATE = 256 * 1024;
/** Beside the folders of the two kinds. */
export const FILES = 'files';

/** Beside `src` and beside `dist`: this module lies two folders below both. */
const BUILT_IN = fileURLToPath(new URL('../../templates/', import.meta.url));

/** A template that was found, and the folder of the files that it may name. */
export interface Found {
  bytes: Buffer;
  files: string;
}

/** A template from one folder; undefined when it has none of that name. @throws Error with the fault */
async function readFrom(root: string, kind: TemplateKind, name: string): Promise<Found | undefined> {
  const found = await readBelow(root, join(kind, `${name}.yaml`), {
    maxBytes: MAX_TEMPLATE,
    sizeText: '256 KiB',
    rootName: 'TEMPLATE_DIR',
  });
  return found && { bytes: found.bytes, files: join(root, FILES) };
}

/** A template as a run keeps it, and the bytes that its parts refer to. */
export type Loaded<T> = { ok: true; value: T; captured: Captured } | { ok: false; faults: string[] };

/** Makes a run's configuration out of what a template says. */
export type Make<T, C> = (
  template: T,
  content: TemplateContent,
  kept: { captured: Captured; text: EvidenceRef },
) => Promise<C>;

/**
 * Finds a template by name, in `TEMPLATE_DIR` first and then among the built-in ones, and reads it.
 *
 * @returns the template, or every fault with the kind and name in front. No path is shown: it would be the worker's.
 */
export async function loadTemplate<T, C>(
  kind: TemplateKind,
  name: string,
  schema: z.ZodType<T>,
  settings: TemplateSettings,
  make: Make<T, C>,
): Promise<Loaded<C>> {
  const title = `${kind} template ${name}`;
  const { templateDir } = settings;
  if (!TEMPLATE_NAME.test(name)) return { ok: false, faults: [`the ${kind} template’s name is not valid`] };
  try {
    const own = templateDir === null ? undefined : await readFrom(templateDir, kind, name);
    const found = own ?? (await readFrom(BUILT_IN, kind, name));
    if (found === undefined) {
      const place =
        templateDir === null ? 'TEMPLATE_DIR is not set' : `no ${kind}/${name}.yaml in TEMPLATE_DIR`;
      return { ok: false, faults: [`${title} does not exist: it is not built in, and ${place}`] };
    }
    const loaded = await readTemplate(found, schema, settings, make);
    return loaded.ok ? loaded : { ok: false, faults: loaded.faults.map((fault) => `${title}: ${fault}`) };
  } catch (error) {
    // A message of the file system would show the worker's path.
    const why = codeOf(error) === undefined && error instanceof Error ? error.message : 'it can’t be read';
    return { ok: false, faults: [`${title} is not usable: ${why}`] };
  }
}

/** Reads a template and its files. @returns the faults with their lines */
export async function readTemplate<T, C>(
  { bytes, files }: Found,
  schema: z.ZodType<T>,
  settings: Pick<TemplateSettings, 'templateVariable' | 'stepVariableFault'>,
  make: Make<T, C>,
): Promise<Loaded<C>> {
  const parsed = parseTemplate(bytes.toString('utf8'), schema);
  if (!parsed.ok) return parsed;
  const captured: Captured = new Map();
  const { fault } = parsed;
  const content = new TemplateContent({ settings, files: new TemplateFiles(files, captured), fault });
  const value = await make(parsed.value, content, { captured, text: capture(bytes, captured) });
  return content.faults.length > 0 ? { ok: false, faults: content.faults } : { ok: true, value, captured };
}
