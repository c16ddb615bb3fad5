import { describe, expect, it } from 'vitest';
import {
  applyEdits,
  fieldOf,
  JsonError,
  objectOf,
  parseJson,
  removeUnless,
  setMembers,
} from '../../src/registry/json-edit.js';
import { generator } from './generate.js';

const edited = (text: string, entries: [string, string][]): string => {
  const document = parseJson(Buffer.from(text));
  const edits = setMembers(document, objectOf(document.root, 'it'), entries, 'it');
  return applyEdits(document, edits).toString();
};

describe('reading', () => {
  const refused: [string, Buffer][] = [
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['an overlong encoding', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['nothing', Buffer.from('')],
    ['a trailing comma', Buffer.from('{"a":1,}')],
    ['a second value', Buffer.from('{} {}')],
    ['a comment', Buffer.from('{/**/}')],
    ['a leading zero', Buffer.from('[01]')],
    ['a raw control character', Buffer.from('"\u0001"')],
    ['an unknown escape', Buffer.from('"\\x41"')],
    ['a non-breaking space between values', Buffer.from('[1,\u00a02]')],
    ['nesting beyond its limit', Buffer.from(`${'['.repeat(5000)}${']'.repeat(5000)}`)],
  ];
  it.each(refused)('refuses %s', (_, bytes) => {
    expect(() => parseJson(bytes)).toThrow(JsonError);
  });

  it('says where each value lies, whatever the white space', () => {
    const text = ' { "a" : [ 1e400 , "x\\"}" ] , "\\u0062":null} \n';
    const root = objectOf(parseJson(Buffer.from(text)).root, 'it');
    expect(root.members.map(({ key, start, end }) => [key, text.slice(start, end)])).toEqual([
      ['a', '"a" : [ 1e400 , "x\\"}" ]'],
      ['b', '"\\u0062":null'],
    ]);
  });

  it('reads a string of 4 MB', () => {
    const text = JSON.stringify(`${'\\"é'.repeat(1_000_000)}`);
    expect(parseJson(Buffer.from(text)).root).toMatchObject({ kind: 'string', end: text.length });
  });
});

describe('editing', () => {
  it('replaces in place and appends in the order given', () => {
    expect(
      edited('{"10":1,"2":{"x":12345678901234567890}}', [
        ['10', '[]'],
        ['z', '1'],
        ['a', '2'],
      ]),
    ).toBe('{"10":[],"2":{"x":12345678901234567890},"z":1,"a":2}');
  });

  it('keeps the bytes of a value that is equal already', () => {
    expect(edited('{"a":"\\u00e9"}', [['a', '"é"']])).toBe('{"a":"\\u00e9"}');
  });

  it('gives a new member the white space of the last', () => {
    expect(edited('{\n  "a": 1\n}', [['b', '2']])).toBe('{\n  "a": 1,\n  "b": 2\n}');
    expect(edited('{"a": 1, "b": 2}', [['c', '3']])).toBe('{"a": 1, "b": 2, "c": 3}');
    expect(edited('{ }', [['b', '2']])).toBe('{"b":2 }');
  });

  it('refuses a key that is there twice, also when one is escaped', () => {
    expect(() => edited('{"a":1,"\\u0061":2}', [['b', '1']])).toThrow(/"a" twice/);
  });

  it('refuses fields that a case-insensitive reader would confuse', () => {
    const object = (text: string) => objectOf(parseJson(Buffer.from(text)).root, 'it');
    expect(() => fieldOf(object('{"config":1,"CONFIG":2}'), 'config', 'it')).toThrow(/twice/);
    expect(() => fieldOf(object('{"Config":1}'), 'config', 'it')).toThrow(/spells "config" as "Config"/);
  });

  it.each([
    [[0], '[ 2 , 3 ]'],
    [[1], '[ 1 , 3 ]'],
    [[2], '[ 1 , 2 ]'],
    [[0, 1], '[ 3 ]'],
    [[1, 2], '[ 1 ]'],
    [[0, 2], '[ 2 ]'],
    [[0, 1, 2], '[  ]'],
  ])('takes out elements %j with their commas', (gone, expected) => {
    const document = parseJson(Buffer.from('[ 1 , 2 , 3 ]'));
    const items = document.root.kind === 'array' ? document.root.items : [];
    const result = applyEdits(
      document,
      removeUnless(items, (position) => !gone.includes(position)),
    );
    expect(result.toString()).toBe(expected);
  });
});

describe('on generated documents', () => {
  it('changes nothing without an edit, and exactly what an edit says otherwise', () => {
    for (let seed = 1; seed <= 500; seed += 1) {
      const make = generator(seed);
      const text = make.object(4);
      const document = parseJson(Buffer.from(text));
      expect(applyEdits(document, []).toString()).toBe(text);
      const entries: [string, string][] = [
        ['added', make.json(2)],
        [make.knownKey(text), make.json(2)],
      ];
      const after = edited(text, entries);
      const expected = { ...JSON.parse(text) };
      for (const [key, json] of entries) expected[key] = JSON.parse(json);
      expect(JSON.parse(after), `seed ${seed}`).toEqual(expected);
      // What was there first is still there, byte for byte, up to the first change.
      expect(edited(after, entries), `seed ${seed}`).toBe(after);
    }
  });
});
