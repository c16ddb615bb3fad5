import { describe, expect, it } from 'vitest';
import { instructionsOf } from '../../src/engines/buildkit/instructions.js';
import { changedFields } from '../../src/engines/buildkit/run-fields.js';
import { digestOf } from '../../src/registry/digest.js';
import { extendConfig, extendManifest } from '../../src/registry/extend.js';
import { JsonError } from '../../src/registry/json-edit.js';
import { OCI_MANIFEST } from '../../src/registry/media-types.js';

const NOTHING = { run: [], diffIds: [], history: [] };
const [one, two] = [digestOf('one'), digestOf('two')];

describe('extending a config', () => {
  const extend = (text: string, change: Partial<Parameters<typeof extendConfig>[1]>) =>
    extendConfig(Buffer.from(text), { ...NOTHING, ...change }).toString();

  it('changes no byte where nothing changed', () => {
    const text = '{ "big":12345678901234567890,\n"rootfs" : {"diff_ids":[ ]} , "2":1,"1":"\\u00e9"}';
    expect(extend(text, {})).toBe(text);
  });

  it('appends in the document’s own manner, and leaves all else', () => {
    const text = `{
  "created": "2024",
  "x": 1e400,
  "config": {
    "Env": ["A=b"]
  },
  "rootfs": {
    "diff_ids": [
      "${one}"
    ]
  },
  "history": [
    {"created_by": "first"}
  ]
}`;
    expect(
      extend(text, {
        created: '2026',
        run: [
          ['Env', '["A=c"]'],
          ['User', '"me"'],
        ],
        diffIds: [two],
        history: ['{"created_by":"second"}'],
      }),
    ).toBe(`{
  "created": "2026",
  "x": 1e400,
  "config": {
    "Env": ["A=c"],
    "User": "me"
  },
  "rootfs": {
    "diff_ids": [
      "${one}",
      "${two}"
    ]
  },
  "history": [
    {"created_by": "first"},
    {"created_by":"second"}
  ]
}`);
  });

  it.each([
    ['no config and no history', `{"rootfs":{"diff_ids":["${one}"]}}`],
    ['null for both', `{"config":null,"history":null,"rootfs":{"diff_ids":["${one}"]}}`],
  ])('makes what is missing: %s', (_what, text) => {
    const made: unknown = JSON.parse(
      extend(text, { created: '2026', run: [['User', '"me"']], diffIds: [two], history: ['{"a":1}'] }),
    );
    expect(made).toEqual({
      created: '2026',
      config: { User: 'me' },
      history: [{ a: 1 }],
      rootfs: { diff_ids: [one, two] },
    });
  });

  it.each([
    '{"rootfs":{}}',
    '{"rootfs":{"diff_ids":{}}}',
    '{"Rootfs":{"diff_ids":[]}}',
    '{"rootfs":{"diff_ids":[]},"history":"none"}',
    '[]',
  ])('refuses %s', (text) => {
    expect(() => extend(text, { diffIds: [two], history: ['{}'] })).toThrow(JsonError);
  });
});

it('appends layers to a manifest, and leaves its own as they are', () => {
  const before = `{"schemaVersion":2,"layers":[{"size":1,"digest":"${one}","x":[1.0]}],"y":null}`;
  const layer = { mediaType: OCI_MANIFEST, digest: two, size: 3 };
  expect(extendManifest(Buffer.from(before), [layer]).toString()).toBe(
    `{"schemaVersion":2,"layers":[{"size":1,"digest":"${one}","x":[1.0]},{"mediaType":"${OCI_MANIFEST}","digest":"${two}","size":3}],"y":null}`,
  );
});

describe('what instructions changed', () => {
  const changed = (body: string, before: object, after: object, triggers = false) =>
    Object.fromEntries(changedFields(instructionsOf(body), { ...before }, { ...after }, triggers));

  it('is only what they are about', () => {
    const before = { Env: ['A=b'], Cmd: ['x'], Hostname: 'h' };
    const after = { Env: ['A=c'], Cmd: ['y'], User: 'me', Hostname: '' };
    expect(changed('ENV A=c', before, after)).toEqual({ Env: '["A=c"]' });
    expect(changed('RUN true\nLABEL a=b', before, after)).toEqual({});
    expect(changed('user me', before, after)).toEqual({ User: '"me"' });
  });

  it('includes the arguments that a new entrypoint takes back', () => {
    expect(changed('ENTRYPOINT ["/e"]', { Cmd: ['x'] }, { Entrypoint: ['/e'], Cmd: null })).toEqual({
      Entrypoint: '["/e"]',
      Cmd: 'null',
    });
  });

  it('is nothing where empty became absent, or root root', () => {
    expect(changed('USER root', {}, { User: 'root' })).toEqual({});
    expect(changed('VOLUME /x\nCMD []', { Volumes: {}, Cmd: [] }, { Volumes: null, Cmd: null })).toEqual({});
    expect(changed('USER root', { User: '1000' }, { User: 'root' })).toEqual({ User: '"root"' });
  });

  it('leaves out the path that BuildKit gives to a base without one', () => {
    const after = { Env: ['PATH=/usr/bin', 'A=b'] };
    expect(changed('ENV A=b', {}, after)).toEqual({ Env: '["A=b"]' });
    expect(changed('ENV A=b PATH=/usr/bin', {}, after)).toEqual({ Env: '["PATH=/usr/bin","A=b"]' });
    expect(changed('ENV PATH /usr/bin', {}, after)).toEqual({ Env: '["PATH=/usr/bin","A=b"]' });
  });

  it('includes that instructions for whoever builds on an image were used up', () => {
    expect(changed('', { OnBuild: ['RUN x'] }, { OnBuild: null }, true)).toEqual({ OnBuild: 'null' });
  });
});
