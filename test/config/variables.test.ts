import { describe, expect, it } from 'vitest';
import {
  envNamesIn,
  envValueFault,
  expand,
  expandEnv,
  IMAGE_VARIABLES,
  imageVariables,
  tagVariables,
  variableFaults,
} from '../../src/config/variables.js';
import { digestOf } from '../../src/registry/digest.js';
import { ref } from '../support/images.js';

const image = {
  runId: '01890a5d-ac96-774b-bcce-b302099a8057',
  runStartedAt: '2026-03-01T02:00:00.000Z',
  source: ref('docker.io/harness/ci-addon:1.16.92'),
  sourceDigest: digestOf('source'),
};

describe('variables of templates', () => {
  it('stand for what the image and the run are', () => {
    const text = '${source.tag} of ${source.digest}, run ${run.id} of ${run.time}';
    expect(expand(text, imageVariables(image))).toBe(
      `1.16.92 of ${image.sourceDigest}, run ${image.runId} of ${image.runStartedAt}`,
    );
  });

  it('leave everything else as it is', () => {
    for (const text of ['$5', '$', '{x}', '$(id)', '`id`', '%s', '$source.tag', '}${run.id}'.slice(0, 1)])
      expect(expand(text, imageVariables(image))).toBe(text);
  });

  it('are written literally with a second dollar', () => {
    expect(variableFaults('$${source.tag} and $${anything at all', IMAGE_VARIABLES)).toEqual([]);
    expect(expand('$${source.tag} is ${source.tag}', imageVariables(image))).toBe('${source.tag} is 1.16.92');
  });

  it('have an empty time in a run of an older version', () => {
    const { runStartedAt: _, ...older } = image;
    expect(expand('<${run.time}>', imageVariables(older))).toBe('<>');
  });

  it('fit into tags, where no colon may be', () => {
    expect(expand('${source.digest}', tagVariables(image))).toMatch(/^[0-9a-f]{64}$/);
    expect(expand('at-${run.time}', tagVariables(image))).toBe('at-2026-03-01T02-00-00.000Z');
  });

  it('that nobody knows are named, with the nearest and all that there are', () => {
    expect(variableFaults('a ${source.digset} b', IMAGE_VARIABLES)).toEqual([
      'has the unknown variable "source.digset" (did you mean source.digest?): here are ${source.digest}, ${source.tag}, ${run.id}, ${run.time}, ${env.NAME}, and $${ for the characters themselves',
    ]);
    expect(variableFaults('${}', ['run.id'])[0]).toMatch(
      /^has the unknown variable "": here are \$\{run\.id\}, /,
    );
    expect(variableFaults('${env.a-b}', [])).toEqual(['has "env.a-b", which names no variable']);
    expect(variableFaults('${env.A} ${run.id', ['run.id'])).toEqual([
      'has a ${ without its }: write $${ for the characters themselves',
    ]);
  });

  it('never take a name for a member that every object has', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect(variableFaults(`\${${name}}`, IMAGE_VARIABLES)).toHaveLength(1);
      expect(() => expand(`\${${name}}`, imageVariables(image))).toThrow(/has no value here/);
    }
  });
});

describe('variables of the worker in templates', () => {
  it('are put in place first, and the others stay for later', () => {
    const text = '${env.TEAM}/${source.tag}/$${env.TEAM}';
    expect(envNamesIn(text)).toEqual(['TEAM']);
    expect(expandEnv(text, () => 'ci')).toBe('ci/${source.tag}/$${env.TEAM}');
  });

  it.each([
    ['a\nb', 'has more than one line, or control characters'],
    ['${run.id}', 'has ${ in it, or $ at its end'],
    ['price$', 'has ${ in it, or $ at its end'],
    ['x'.repeat(1001), 'is longer than 1000 characters'],
  ])('that would not be the text that they are are refused: %j', (value, why) => {
    expect(envValueFault(value)).toBe(why);
  });
});
