import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environmentSchema } from '../config/environment-schema.js';
import { INPUT_DEFAULTS, INPUT_FIELDS, inputVariable } from '../config/input-fields.js';
import { published, templateSchemaText } from '../config/published-schema.js';
import { INPUT_ALIASES, runInputSchema } from '../contract/input.js';
import { reportSchema } from '../report/schema.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
const metaText = (value: unknown): string => (typeof value === 'string' ? value : '');

function inputTable(): string {
  const rows = INPUT_FIELDS.map((field) => {
    const aliases = Object.keys(INPUT_ALIASES).filter((alias) => INPUT_ALIASES[alias] === field);
    const fallback = Object.entries(INPUT_DEFAULTS).find(([name]) => name === field)?.[1];
    const said = fallback === undefined ? '' : `\`${JSON.stringify(fallback)}\``;
    return row(
      `\`${field}\``,
      aliases.map((alias) => `\`${alias}\``).join(', '),
      `\`${inputVariable(field)}\``,
      said,
      runInputSchema.shape[field].unwrap().description ?? '',
    );
  });
  return [
    row('field', 'also taken as', 'variable of the worker', 'default', 'meaning'),
    row('---', '---', '---', '---', '---'),
    ...rows,
  ].join('\n');
}

function environmentTable(): string {
  const rows = Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const meta = schema.meta();
    return row(`\`${name}\``, metaText(meta?.fallback), meta?.description ?? '');
  });
  return [row('variable', 'default', 'meaning'), row('---', '---', '---'), ...rows].join('\n');
}

const configuration =
  (): string => `<!-- Written by \`npm run schemas\` from the schemas in src; a test holds it to them. -->
# Configuration

## Input of a run
One JSON object, the same for \`temporal workflow start --input\`, for a schedule, and (in kebab-case) for the flags of \`image-factory\`.
Where it is silent, the worker's variable decides, then the default. Variables and the other spellings may carry text: \`"true"\`, \`"5"\`, and lists with commas.
A run with bad input fails at once, with every fault named. An input that looks like a key itself is refused and not shown.

${inputTable()}

\`registry\` is required; \`registryConnector\` is too when \`modifyDefault\` is on. \`platforms\` decides over the build-push template's list; \`include\` and \`exclude\` apply beside the gather-scan template's.

## Environment of the worker
Lists have commas. An empty variable counts as unset. The \`TEMPORAL_*\` names of the Temporal CLI (\`TEMPORAL_ADDRESS\`, \`TEMPORAL_NAMESPACE\`, …) are read as it reads them.

${environmentTable()}

Whoever can start a workflow chooses its input, so the three \`ALLOWED_*\` lists say where this worker's secrets may go. Set \`REGISTRY\` or \`ALLOWED_REGISTRIES\` on a worker that others can start runs on: without either, \`REGISTRY_PASSWORD\` goes to whatever registry a run names.

## Templates
\`gatherScanTemplate\` and \`buildPushTemplate\` are names: \`<TEMPLATE_DIR>/gather-scan/<name>.yaml\` and \`<TEMPLATE_DIR>/build-push/<name>.yaml\`, or the built-in \`default\`. Their fields are in [schema/gather-scan-template.schema.json](schema/gather-scan-template.schema.json) and
[schema/build-push-template.schema.json](schema/build-push-template.schema.json); [templates/](../templates) has the built-in ones to copy. A change of labels, annotations, platforms or engine makes every copy anew; a change of the policy only scans again.
`;

/** Every file that is made from a schema, by its path in the repository. */
export function generatedFiles(): Map<string, string> {
  const schema = (name: string): string => `docs/schema/${name}.schema.json`;
  return new Map([
    [schema('run-input'), published(runInputSchema, 'Input of a run', 'input')],
    [schema('gather-scan-template'), templateSchemaText('gather-scan')],
    [schema('build-push-template'), templateSchemaText('build-push')],
    [schema('report'), published(reportSchema, 'Report of a run', 'output')],
    ['docs/configuration.md', configuration()],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [path, text] of generatedFiles()) {
    await mkdir(dirname(`${ROOT}${path}`), { recursive: true });
    await writeFile(`${ROOT}${path}`, text);
  }
