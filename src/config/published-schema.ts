import { z } from 'zod';
import type { TemplateKind } from './template-load.js';
import { buildPushSchema, gatherScanSchema } from './template-schemas.js';

/** A schema as published: of what a person writes (`input`) or of what we write (`output`). */
export const published = (schema: z.ZodType, title: string, io: 'input' | 'output'): string =>
  `${JSON.stringify({ title, ...z.toJSONSchema(schema, { io }) }, null, 2)}\n`;

/** JSON Schema of a kind of template, for editors; of both when none is named. */
export function templateSchemaText(kind?: TemplateKind): string {
  switch (kind) {
    case 'gather-scan':
      return published(gatherScanSchema, 'Template of gathering and scanning', 'input');
    case 'build-push':
      return published(buildPushSchema, 'Template of building and pushing', 'input');
    case undefined:
      return published(z.union([gatherScanSchema, buildPushSchema]), 'Template of either kind', 'input');
  }
}
