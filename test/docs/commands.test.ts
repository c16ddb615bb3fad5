import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit.js';
import { createProgram } from '../../src/cli/program.js';
import { environmentSchema } from '../../src/config/environment-schema.js';
import { checkInput } from '../../src/config/input.js';
import { INPUT_FIELDS, inputVariable } from '../../src/config/input-fields.js';
import { gatherScanSchema } from '../../src/config/template-schemas.js';
import { parseTemplate } from '../../src/config/template-yaml.js';
import { PROGRESS_QUERY, WORKFLOW } from '../../src/contract/names.js';
import { blocks, commandLines, DOCUMENTS, factoryArguments, ROOT, readDocument, words } from './document.js';

/** Commands of all documents, also those that stand in the text. */
async function allCommands(): Promise<string[]> {
  const documents = await Promise.all(DOCUMENTS.map(readDocument));
  return documents.flatMap((document) => [
    ...commandLines(document),
    ...[...document.matchAll(/`((?:npm|temporal) [^`]+)`/g)].map(([, command = '']) => command),
  ]);
}

/** The command of ours that the words name, and what is not known of the rest. */
function parse(args: readonly string[]): {
  command: Command | undefined;
  operands: string[];
  unknown: string[];
} {
  let command: Command | undefined = createProgram();
  let rest = [...args];
  // `schedule apply`: as long as there are commands below, the next word names one.
  while (command !== undefined && command.commands.length > 0) {
    const [name, ...after] = rest;
    command = command.commands.find((one) => one.name() === name);
    rest = after;
  }
  return { command, ...(command?.exitOverride().parseOptions(rest) ?? { operands: [], unknown: rest }) };
}

const valueAfter = (line: readonly string[], flag: string): string | undefined =>
  line.includes(flag) ? line[line.indexOf(flag) + 1] : undefined;

describe('the commands that the documents show', () => {
  it('are of our CLI as it is: names, flags and arguments', async () => {
    const ours = (await allCommands()).flatMap((command) => factoryArguments(command) ?? []);
    expect(ours).toEqual(expect.arrayContaining(['doctor', 'plan', 'run', 'status', 'restore']));
    for (const line of await allCommands()) {
      const args = factoryArguments(line);
      if (args === undefined) continue;
      const { command, operands, unknown } = parse(args);
      expect(command, line).toBeDefined();
      expect(unknown, line).toEqual([]);
      expect(operands, line).toHaveLength(command?.registeredArguments.length ?? 0);
    }
  });

  it('name npm scripts that exist', async () => {
    const { scripts } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8'));
    const named = (await allCommands()).flatMap((command) => {
      const [program, verb, ...rest] = words(command);
      if (program !== 'npm' || verb === 'ci') return [];
      return verb === 'run' ? rest.filter((word) => !word.startsWith('-')).slice(0, 1) : [verb];
    });
    expect(named).toContain('demo');
    for (const name of named) expect(scripts).toHaveProperty([name ?? '']);
  });

  it('start our workflow types with input that they take', async () => {
    const starts = (await allCommands())
      .map(words)
      .filter(([program, , verb]) => program === 'temporal' && ['start', 'create'].includes(verb ?? ''))
      .filter((line) => line.includes('--type'));
    expect(starts).not.toEqual([]);
    for (const line of starts) {
      const type = valueAfter(line, '--type');
      expect(Object.values(WORKFLOW)).toContain(type);
      const input: unknown = JSON.parse(valueAfter(line, '--input') ?? '');
      if (type === WORKFLOW.imageFactory) expect(checkInput(input)).toMatchObject({ ok: true });
    }
    const query = (await allCommands()).map(words).find(([, , verb]) => verb === 'query');
    expect(valueAfter(query ?? [], '--type')).toBe(PROGRESS_QUERY);
  });
});

describe('what the README says of settings', () => {
  /** Names that others read: Temporal's clients, Node and its HTTP, our tool cache, and programs of templates. */
  const OTHERS =
    /^(?:TEMPORAL_[A-Z_]+|FACTORY_[A-Z_]+|HTTPS?_PROXY|NO_PROXY|NODE_EXTRA_CA_CERTS|XDG_CACHE_HOME|IMAGE_FACTORY_TOOLS_DIR|BASE_USER)$|^AWS_/;
  const known = new Set([...Object.keys(environmentSchema.shape), ...INPUT_FIELDS.map(inputVariable)]);

  it.each(DOCUMENTS)('%s names environment variables that exist', async (path) => {
    const document = await readDocument(path);
    const names = [
      ...[...document.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)],
      ...[...document.matchAll(/^export ([A-Z_]+)=/gm)],
    ].map(([, name = '']) => name);
    const buildArguments = (await readDocument('Dockerfile')).matchAll(/^ARG ([A-Z_]+)/gm);
    const all = new Set([...known, ...[...buildArguments].map(([, name = '']) => name)]);
    expect(names.filter((name) => !all.has(name) && !OTHERS.test(name))).toEqual([]);
  });

  it('has all eight of the old pipeline, each by its input field and its variable', async () => {
    const readme = await readDocument('README.md');
    const rows = [...readme.matchAll(/^\| `(\w+)` \| `([A-Z_]+)` \|/gm)].map(([, field, name]) => [
      field,
      name,
    ]);
    expect(rows).toHaveLength(8);
    for (const [field, name] of rows) {
      expect(INPUT_FIELDS.map((one) => [one, inputVariable(one)])).toContainEqual([field, name]);
      expect(readme).toContain(`export ${name}=`);
    }
  });

  it('has every exit code', async () => {
    const codes = [...(await readDocument('README.md')).matchAll(/^\| (\d+) \|/gm)].map(([, code]) =>
      Number(code),
    );
    expect(codes).toEqual(Object.values(EXIT));
  });

  it('shows a template that can be used', async () => {
    const [yaml = '', ...more] = blocks(await readDocument('README.md'), 'yaml');
    expect(more).toEqual([]);
    expect(parseTemplate(yaml, gatherScanSchema)).toMatchObject({
      ok: true,
      value: { policy: { action: 'block', exceptions: [{ id: 'CVE-2023-4911' }] } },
    });
  });
});
