import { Argument, type Command, Option } from 'commander';
import { templateSchemaText } from '../config/published-schema.js';
import { checkTemplate, type TemplateCheck, type TemplateSummary } from '../config/template-check.js';
import { TEMPLATE_KINDS, type TemplateKind } from '../config/template-load.js';
import { CliExit, EXIT } from './exit.js';
import { processTerminal, type Terminal, table } from './terminal.js';

/** `image-factory template check` and `template schema`. They need no worker and no Temporal. */
export function addTemplateCommands(program: Command): void {
  const template = program.command('template').description('check templates, and print their JSON Schema');
  template
    .command('check <file>')
    .description('name every fault of a template with its line, or say what it does')
    .addOption(
      new Option('--kind <kind>', 'which kind it is (else its folder’s name, or what is in it)').choices(
        TEMPLATE_KINDS,
      ),
    )
    .option('--json', 'print {ok, summary} or {ok, faults: [{line, message}]}')
    .action(async (file: string, { kind, json }: { kind?: TemplateKind; json?: boolean }) => {
      const check = await checkTemplate(file, kind);
      const terminal = processTerminal();
      if (json) terminal.json(asJson(check));
      else if (check.ok) printSummary(check.summary, terminal);
      else for (const fault of check.faults) terminal.error(`${file}: ${fault}`);
      if (!check.ok) {
        const { length } = check.faults;
        throw new CliExit(
          EXIT.badInput,
          json ? '' : `${length} ${length === 1 ? 'thing is' : 'things are'} wrong`,
        );
      }
    });
  template
    .command('schema')
    .description('print the JSON Schema of templates, for editors')
    .addArgument(new Argument('[kind]', 'of one kind only').choices(TEMPLATE_KINDS))
    .action((kind?: TemplateKind) => {
      process.stdout.write(templateSchemaText(kind));
    });
}

/** Faults with their line as a number, for programs; null where the whole file is meant. */
function asJson(check: TemplateCheck): unknown {
  if (check.ok) return check;
  return {
    ok: false,
    faults: check.faults.map((fault) => {
      const [, line, message = fault] = /^line (\d+): (.*)$/s.exec(fault) ?? [];
      return { line: line === undefined ? null : Number(line), message };
    }),
  };
}

function printSummary({ kind, name, does, templateEnv, stepEnv }: TemplateSummary, terminal: Terminal): void {
  terminal.line(`${terminal.paint('green', '✓')} ${kind} template ${name} is fine`);
  const rows = does.map(({ what, how }) => ['', what, how]);
  for (const [variable, names] of [
    ['ALLOWED_TEMPLATE_ENV', templateEnv],
    ['ALLOWED_STEP_ENV', stepEnv],
  ] as const)
    if (names.length > 0) rows.push(['', 'needs', `${names.join(', ')} in ${variable} of the worker`]);
  for (const line of table(rows, terminal.columns)) terminal.line(line);
}
