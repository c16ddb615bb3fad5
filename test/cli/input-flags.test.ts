import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addInputFlags, inputFromFlags } from '../../src/cli/input-flags.js';
import { createProgram } from '../../src/cli/program.js';
import { assertInput } from '../../src/cli/start.js';
import { INPUT_FIELDS } from '../../src/config/input-fields.js';

const kebab = (field: string): string => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function read(...argv: string[]): Record<string, unknown> {
  const command = addInputFlags(new Command('run')).exitOverride().option('--json');
  return inputFromFlags(command.parse(argv, { from: 'user' }));
}

describe('the flags of run', () => {
  const run = createProgram().commands.find((command) => command.name() === 'run');

  it.each(INPUT_FIELDS)('have one for the input field %s, in kebab case', (field) => {
    const option = run?.options.find((one) => one.attributeName() === field);
    expect(option?.long).toBe(field === 'scan' ? '--no-scan' : `--${kebab(field)}`);
  });

  it('and no other than those of the command itself', () => {
    const own = ['input', 'workflowId', 'detach', 'json', 'watch'];
    const names = run?.options.map((option) => option.attributeName());
    // A flag and its `no-` are one field.
    expect([...new Set(names)].sort()).toEqual([...INPUT_FIELDS, ...own].sort());
  });
});

describe('flags as input', () => {
  it('are silent where nothing was given, so that the worker’s environment decides', () => {
    expect(read()).toEqual({});
    expect(read('--json', '--registry', 'r.example.com')).toEqual({ registry: 'r.example.com' });
  });

  it('have the types of the fields', () => {
    const input = read(
      ...['--max-concurrency', '7', '--modify-default', '--no-scan', '--infra', 'K8, VM'],
      ...['--include', 'plugins/*,ci*', '--platforms', 'linux/amd64', '--value-style', 'relative'],
    );
    expect(input).toEqual({
      maxConcurrency: 7,
      modifyDefault: true,
      scan: false,
      infra: ['K8', 'VM'],
      include: ['plugins/*', 'ci*'],
      platforms: ['linux/amd64'],
      valueStyle: 'relative',
    });
    expect(() => assertInput(input)).not.toThrow();
  });

  it('win over the same field of --input, whichever way that spells it', () => {
    const json = '{"registry":"a.example.com","MAX_CONCURRENCY":"3","scan":true,"exclude":["x"]}';
    expect(
      read('--input', json, '--registry', 'b.example.com', '--max-concurrency', '4', '--no-scan'),
    ).toEqual({ registry: 'b.example.com', maxConcurrency: 4, scan: false, exclude: ['x'] });
  });

  it.each(['{"registry": "pat.acc', '[]', '"text"', 'null', ''])(
    'refuse --input %s without an echo',
    (text) => {
      expect(() => read('--input', text)).toThrow(
        expect.objectContaining({ type: 'InvalidInput', message: '--input takes one JSON object' }),
      );
    },
  );

  it('that are wrong are all named at once, and no value is echoed', () => {
    const input = read(
      ...['--max-concurrency', 'pat.acc.token.s3cret', '--value-style', 'other', '--infra', 'K9'],
      ...['--input', '{"platfroms":[]}'],
    );
    const message = (): string => {
      try {
        assertInput(input);
        return '';
      } catch (error) {
        return String(error);
      }
    };
    for (const part of ['maxConcurrency', 'valueStyle', 'infra', 'platfroms'])
      expect(message()).toContain(part);
    expect(message()).not.toContain('s3cret');
  });
});
