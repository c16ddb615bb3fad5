import { z } from 'zod';
import { HOOKS, type Hook } from '../contract/run.js';
import { quoted } from './suggest.js';
import { ALWAYS, checked, repeated } from './template-parts.js';
import { IMAGE_VARIABLES, RUN_VARIABLES, variableFaults } from './variables.js';

/** What steps and scanners may name of their own: counted per program or build. */
export const MAX_FILES = 64;
export const MAX_STEPS = 20;
/** Beside Trivy. */
const MAX_SCANNERS = 4;

/** Where the factory puts what it tells a program, so that no file of a template lies there. */
export const RESERVED_FOLDER = '.factory';

/** Why a text is no relative path with `/` that stays below where it begins; undefined when it is one. */
export function relativePathFault(text: string): string | undefined {
  if (text.length > 200) return 'is longer than 200 characters';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(text)) return 'has control characters or a backslash';
  if (text.startsWith('/'))
    return 'is an absolute path: files lie in TEMPLATE_DIR/files, and are named from there';
  if (text.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return 'has "..", "." or an empty part: files lie in TEMPLATE_DIR/files, and are named from there';
  return undefined;
}

const filePath = checked(relativePathFault);

const fileSchema = z.strictObject({
  from: filePath.describe('The file, from `TEMPLATE_DIR/files/`.'),
  path: filePath.optional().describe('Where it is put; `from` when absent.'),
});

/** Files of a program or a build. @param reserved names that a file must not have in its place */
export const filesSchema = (reserved: readonly string[]) =>
  z
    .array(fileSchema)
    .max(MAX_FILES, `has more than ${MAX_FILES} entries`)
    .superRefine((files, context) => {
      const paths = files.map(({ path, from }) => path ?? from);
      for (const [index, path] of paths.entries()) {
        const say = (message: string): void =>
          context.addIssue({
            code: 'custom',
            path: [index, files[index]?.path === undefined ? 'from' : 'path'],
            message,
          });
        if (reserved.some((name) => path === name || path.startsWith(`${name}/`)))
          say(`is ${quoted(path)}, a name that is not free there: give it another path`);
        else if (paths.indexOf(path) < index)
          say(`is ${quoted(path)}, as another file has it: give it another path`);
        else if (paths.some((other) => other.startsWith(`${path}/`)))
          say(`is ${quoted(path)}, which is the folder of another file: give it another path`);
      }
    })
    .default([]);

/** What makes a command a line of shell: it would be looked for as one name. */
const SHELL = /[|&;<>`$()\n]/;

function commandFault(text: string): string | undefined {
  if (text.length > 500) return 'is longer than 500 characters';
  if (SHELL.test(text) || (!text.startsWith('/') && /\s/.test(text)))
    return 'is no line of a shell: name one program, and each of its arguments in args (for a pipe, put a script into files and run ./script)';
  if (text.startsWith('./')) return relativePathFault(text.slice(2));
  if (text.startsWith('/'))
    return text
      .split('/')
      .slice(1)
      .some((part) => part === '' || part === '.' || part === '..')
      ? 'is not a plain absolute path'
      : undefined;
  return /^[\w.+-]+$/.test(text) && text !== '.' && text !== '..'
    ? undefined
    : 'is neither a name on the worker’s PATH, nor an absolute path, nor ./file of its files';
}

const SECONDS = { s: 1, m: 60 } as const;
const timeout = (most: string, fallback: string) => {
  const secondsOf = (text: string): number =>
    Number(text.slice(0, -1)) * (text.endsWith('m') ? SECONDS.m : SECONDS.s);
  return z
    .string()
    .regex(/^[1-9]\d{0,3}[sm]$/, 'must be seconds or minutes, such as 90s or 2m')
    .refine((text) => secondsOf(text) <= secondsOf(most), `may be ${most} at most`)
    .transform(secondsOf)
    .prefault(fallback)
    .describe(`How long it may take, at most \`${most}\`: \`90s\`, \`2m\`. Default \`${fallback}\`.`);
};

const name = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'must be lower-case letters, digits and -, at most 40')
  .describe('Its name in Temporal’s history, in messages and in the report.');

const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'is not the name of a variable, such as SLACK_WEBHOOK_URL');

/** Variables that every program gets from the factory. */
const GIVEN = ['PATH', 'HOME', 'LANG', 'TMPDIR'];

const program = {
  name,
  command: checked(commandFault).describe(
    'The program: a name on the worker’s `PATH`, an absolute path, or `./file` of its `files`. Never a line of shell.',
  ),
  args: z
    .array(z.string('must be text: put the value in quotes').max(4096))
    .max(100)
    .default([])
    .describe('Its arguments, each as it is; variables are put in place, and nothing else is.'),
  env: z
    .array(variableName)
    .max(50)
    .superRefine((names, context) => {
      for (const [index, one] of names.entries())
        if (GIVEN.includes(one) || one.startsWith('FACTORY_'))
          context.addIssue({
            code: 'custom',
            path: [index],
            message: `is ${quoted(one)}, which the factory sets itself`,
          });
    })
    .default([])
    .describe('Variables of the worker that it gets, each of them in the worker’s `ALLOWED_STEP_ENV`.'),
  files: filesSchema([RESERVED_FOLDER]).describe('Files that are put into its working directory.'),
};

interface ProgramLike {
  command: string;
  files: readonly { from: string; path?: string | undefined }[];
}

/** A command `./x` has to be one of the files. */
function ownFileFault({ command, files }: ProgramLike): string | undefined {
  if (!command.startsWith('./')) return undefined;
  const path = command.slice(2);
  return files.some((file) => (file.path ?? file.from) === path)
    ? undefined
    : `is ${quoted(command)}, and no file of its files is put there`;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const texts = (value: unknown): { text: string; index: number }[] =>
  Array.isArray(value)
    ? value.flatMap((text: unknown, index) => (typeof text === 'string' ? [{ text, index }] : []))
    : [];

const ofImage = [...IMAGE_VARIABLES, 'event', 'image', 'source', 'target'];
const ofBuilt = [...ofImage, 'digest'];

/** What arguments of a step may have, by its place. */
export const STEP_VARIABLES: Record<Hook, readonly string[]> = {
  'before-gather': [...RUN_VARIABLES, 'event'],
  'after-gather': [...RUN_VARIABLES, 'event'],
  'before-scan': ofImage,
  'after-scan': ofImage,
  'before-build': ofImage,
  'after-build': ofBuilt,
  'before-push': ofBuilt,
  'after-push': ofBuilt,
  'after-run': [...RUN_VARIABLES, 'event', 'report.json', 'report.html'],
};

/** What arguments of a scanner may have: what it says of a platform counts for every image that has it. */
export const SCANNER_VARIABLES = ['layout', 'output'];

/** Steps of one kind of template. @param hooks where they may go */
export const stepsSchema = (hooks: readonly [Hook, ...Hook[]]) =>
  z
    .array(
      z
        .strictObject({
          ...program,
          at: z.enum(hooks, `must be one of ${hooks.join(', ')} in this template`).describe('Where it goes.'),
          timeout: timeout('10m', '2m'),
          onFailure: z
            .enum(['fail', 'warn'])
            .default('fail')
            .describe(
              '`fail`: the image (or the run) fails with it. `warn`: it goes on, and the report says so.',
            ),
          attempts: z.int().min(1).max(10).default(3).describe('How often it is tried.'),
        })
        .superRefine((step, context) => {
          if (!isObject(step)) return;
          const hook = HOOKS.find((one) => one === step.at);
          if (hook === undefined) return;
          for (const { text, index } of texts(step.args))
            for (const message of variableFaults(text, STEP_VARIABLES[hook]))
              context.addIssue({ code: 'custom', path: ['args', index], message });
        }, ALWAYS)
        .superRefine(ownFile),
    )
    .max(MAX_STEPS, `has more than ${MAX_STEPS} entries`)
    .superRefine(uniqueNames, ALWAYS)
    .default([]);

const scannerSchema = z
  .strictObject({ ...program, timeout: timeout('14m', '10m') })
  .superRefine((scanner, context) => {
    const args = texts(isObject(scanner) ? scanner.args : undefined);
    for (const { text, index } of args)
      for (const message of variableFaults(text, SCANNER_VARIABLES))
        context.addIssue({ code: 'custom', path: ['args', index], message });
    for (const [variable, what] of [
      ['layout', 'where it finds the image'],
      ['output', 'where it writes its SARIF'],
    ] as const)
      if (!args.some(({ text }) => text.includes(`\${${variable}}`)))
        context.addIssue({
          code: 'custom',
          path: ['args'],
          message: `has no \${${variable}}, which says ${what}`,
        });
  }, ALWAYS)
  .superRefine(ownFile);

/** Trivy, and programs beside it. */
export const scannersSchema = z
  .array(
    z.union(
      [z.literal('trivy'), scannerSchema],
      'must be trivy, or a scanner of yours with name, command and args',
    ),
  )
  .max(MAX_SCANNERS + 1, `has more than ${MAX_SCANNERS + 1} entries`)
  .superRefine((scanners, context) => {
    const list: readonly unknown[] = Array.isArray(scanners) ? scanners : [];
    if (Array.isArray(scanners) && !list.includes('trivy'))
      context.addIssue({ code: 'custom', message: 'has no trivy: others look beside it, not instead' });
    uniqueNames(
      list.map((one) => (one === 'trivy' ? { name: 'trivy' } : one)),
      context,
    );
  }, ALWAYS)
  .default(['trivy']);

interface Issues {
  addIssue(issue: { code: 'custom'; path?: PropertyKey[]; message: string }): void;
}

function ownFile(one: ProgramLike, context: Issues): void {
  const message = ownFileFault(one);
  if (message !== undefined) context.addIssue({ code: 'custom', path: ['command'], message });
}

function uniqueNames(list: unknown, context: Issues): void {
  const names = (Array.isArray(list) ? list : []).map((one: unknown) =>
    isObject(one) && typeof one.name === 'string' ? one.name : '',
  );
  const twice = repeated(names.filter((one) => one !== ''));
  if (twice !== undefined)
    context.addIssue({
      code: 'custom',
      path: [names.lastIndexOf(twice)],
      message: `has the name ${quoted(twice)}, as another one does`,
    });
}
