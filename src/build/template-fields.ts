import { z } from 'zod';
import { buildPushSchema, gatherScanSchema } from '../config/template-schemas.js';

/** The parts of JSON Schema that our templates come out as. */
const nodeSchema = z.looseObject({
  description: z.string().optional(),
  default: z.unknown().optional(),
  required: z.array(z.string()).optional(),
  enum: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), nodeSchema).optional();
  },
  get items() {
    return nodeSchema.optional();
  },
  get anyOf() {
    return z.array(nodeSchema).optional();
  },
});
type Node = z.infer<typeof nodeSchema>;

interface Field {
  path: string;
  node: Node;
  required: boolean;
}

/** All fields below one, each after its parent. */
const fieldsOf = (node: Node, path: string): Field[] =>
  Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const own = `${path}${name}`;
    const inside = child.items ?? child;
    const shape = inside.properties ? inside : inside.anyOf?.find((one) => one.properties);
    const below = shape === undefined ? [] : fieldsOf(shape, `${own}${child.items ? '[]' : ''}.`);
    const required = node.required?.includes(name) === true;
    return [{ path: own, node: child, required }, ...below];
  });

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function defaultOf({ node, required }: Field): string {
  const { default: value } = node;
  if (value === undefined) return required ? 'required' : '';
  const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  if (node.properties !== undefined) return '';
  return empty ? 'none' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

const row = (field: Field): string => {
  const { path, node } = field;
  const choices = node.enum === undefined ? '' : `${node.enum.map((one) => `\`${one}\``).join(', ')}. `;
  return `| \`${path}\` | ${defaultOf(field)} | ${cell(`${choices}${node.description ?? ''}`.trim())} |`;
};

const table = (schema: z.ZodType): string =>
  [
    '| field | default | meaning |',
    '| --- | --- | --- |',
    ...fieldsOf(nodeSchema.parse(z.toJSONSchema(schema, { io: 'input' })), '').map(row),
  ].join('\n');

const TABLES: Readonly<Record<string, z.ZodType>> = {
  'gather-scan': gatherScanSchema,
  'build-push': buildPushSchema,
};

/** A document with the tables of fields that it has marks for: `<!-- fields of <kind> -->`, then `<!-- end of fields -->`. */
export const withFields = (document: string): string =>
  document.replace(
    /(<!-- fields of ([a-z-]+) -->\n)[\s\S]*?(<!-- end of fields -->)/g,
    (whole, begin: string, kind: string, end: string) => {
      const schema = TABLES[kind];
      return schema === undefined ? whole : `${begin}${table(schema)}\n${end}`;
    },
  );
