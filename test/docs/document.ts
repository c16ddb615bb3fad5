import { readFile } from 'node:fs/promises';

export const ROOT = new URL('../../', import.meta.url);

/** What people read and follow, by path from the root. */
export const DOCUMENTS = [
  'README.md',
  'CHANGELOG.md',
  'docs/architecture.md',
  'docs/building.md',
  'docs/configuration.md',
  'docs/deploying.md',
  'docs/faq.md',
  'docs/harness.md',
  'docs/operating.md',
  'docs/registries.md',
  'docs/reliability.md',
  'docs/tools.md',
  'docs/troubleshooting.md',
] as const;

export const readDocument = (path: string): Promise<string> => readFile(new URL(path, ROOT), 'utf8');

/** The texts of a document's fenced blocks of one language. */
export const blocks = (document: string, language: string): string[] =>
  [...document.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text = '']) => text);

/** A document without its fenced blocks. */
export const prose = (document: string): string => document.replace(/^```\w*\n[\s\S]*?^```$/gm, '');

/** The commands of `sh` blocks as their lines have them, those that go on with `\` in one piece, without comments. */
export const commandLines = (document: string): string[] =>
  blocks(document, 'sh')
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line) => line.split(' && '));

/** One command's words, as a shell splits what has plain and single quotes only. */
export const words = (command: string): string[] =>
  [...command.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''));

/** What our CLI gets from a command; undefined for commands of other programs. */
export function factoryArguments(command: string): string[] | undefined {
  const [program, run, silent, script, separator, ...rest] = words(command);
  const ours = program === 'npm' && run === 'run' && silent === '-s' && script === 'image-factory';
  return ours && separator === '--' ? rest : undefined;
}
