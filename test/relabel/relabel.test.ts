import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/registry/digest.js';
import { relabelConfig, relabelIndex, relabelManifest } from '../../src/registry/relabel.js';
import type { Descriptor } from '../../src/registry/types.js';

/** Everything that a decoder and encoder of typed structs, or of JavaScript numbers and objects, would lose. */
const AWKWARD = String.raw`{"architecture":"amd64","moby.buildkit.buildinfo.v1":"eyJmcm9udGVuZCI6ImRvY2tlcmZpbGUudjAifQ==","config":{"Healthcheck":{"Test":["CMD","true"],"Interval":30000000000,"StartInterval":5000000000},"10":"ten","2":"two","Labels":{"z":"last","a":"\u0041\u00e9\/","drop":null,"10":"x","2":"y"},"Volumes":null,"huge":123456789012345678901234567890,"Env":null},"moby.x":{"n":-0,"e":1.50e+10},"os":"linux","history":[{"created_by":"RUN echo \u003cb\u003e \ud83d\ude00"}],"rootfs":{"type":"layers","diff_ids":[]},"n":9007199254740993}`;

const relabelled = (config: string, labels: Record<string, string>): string =>
  relabelConfig(Buffer.from(config), labels).toString();

describe('a config', () => {
  it('changes in its labels and nowhere else', () => {
    const after = relabelled(AWKWARD, { b: 'new "b"', a: 'Aé/', z: 'changed', '1': 'one' });
    // In place where the label was, appended in sorted order where it was not; `a` was equal and keeps its escapes.
    expect(after).toBe(
      AWKWARD.replace('"z":"last"', '"z":"changed"').replace(
        '"2":"y"}',
        '"2":"y","1":"one","b":"new \\"b\\""}',
      ),
    );
    expect(digestOf(after)).toBe('sha256:7ce579c20a24f2e70ea8327df98938e8fb04e3eba495437ade64336f19b5ee7d');
  });

  it('is the same bytes when nothing changes', () => {
    expect(relabelled(AWKWARD, { z: 'last', a: 'Aé/' })).toBe(AWKWARD);
    expect(relabelled(AWKWARD, {})).toBe(AWKWARD);
  });

  it('is the same bytes when it is labelled twice', () => {
    const once = relabelled(AWKWARD, { b: '1', z: '2' });
    expect(relabelled(once, { z: '2', b: '1' })).toBe(once);
  });

  it.each([
    ['no config', '{"os":"linux"}', '{"os":"linux","config":{"Labels":{"a":"1","b":"2"}}}'],
    ['a null config', '{"config":null}', '{"config":{"Labels":{"a":"1","b":"2"}}}'],
    ['no labels', '{"config":{"User":"u"}}', '{"config":{"User":"u","Labels":{"a":"1","b":"2"}}}'],
    ['null labels', '{"config":{"Labels":null,"x":1}}', '{"config":{"Labels":{"a":"1","b":"2"},"x":1}}'],
    ['empty labels', '{"config":{"Labels":{}}}', '{"config":{"Labels":{"a":"1","b":"2"}}}'],
    ['a null label', '{"config":{"Labels":{"a":null}}}', '{"config":{"Labels":{"a":"1","b":"2"}}}'],
    ['an empty document', '{}', '{"config":{"Labels":{"a":"1","b":"2"}}}'],
  ])('with %s gets its labels', (_, before, after) => {
    expect(relabelled(before, { b: '2', a: '1' })).toBe(after);
  });

  it('keeps the form of a pretty-printed document', () => {
    const before = JSON.stringify({ config: { Labels: { a: '1' } }, os: 'linux' }, null, 3);
    const after = JSON.stringify({ config: { Labels: { a: '1', b: '2' } }, os: 'linux' }, null, 3);
    expect(relabelled(before, { b: '2' })).toBe(after);
  });

  it('takes labels with any text', () => {
    const labels = { '\u2028"\\': 'line\nbreak\u0000\ud83d\ude00', __proto__x: '', constructor: 'c' };
    expect(JSON.parse(relabelled('{}', labels)).config.Labels).toEqual(labels);
  });

  it.each([
    ['{"config":{},"config":{}}', 'the document has the key "config" twice'],
    ['{"config":{"Labels":{},"Labels":{}}}', 'config has the key "Labels" twice'],
    ['{"config":{"Labels":{"a":"1","a":"2"}}}', 'config.Labels has the key "a" twice'],
    ['{"config":{"labels":{}}}', 'config spells "Labels" as "labels"'],
    ['{"config":[]}', 'config is not an object'],
    ['[]', 'the document is not an object'],
  ])('that is ambiguous is refused: %s', (config, message) => {
    expect(() => relabelled(config, { a: '1' })).toThrow(message);
  });

  it('may have doubled keys where nothing is edited', () => {
    expect(relabelled('{"x":{"a":1,"a":2}}', { a: '1' })).toBe(
      '{"x":{"a":1,"a":2},"config":{"Labels":{"a":"1"}}}',
    );
  });
});

const to: Descriptor = { mediaType: 'ignored', digest: digestOf('new'), size: 3 };
const OLD = digestOf('old');

describe('a manifest', () => {
  const manifest = `{"schemaVersion":2,"config":{"mediaType":"c","digest":"${OLD}","size":7,"x.unknown":1e3},"layers":[ {"size":1} ]}`;

  it('points at the new config and keeps the rest', () => {
    const after = relabelManifest(Buffer.from(manifest), { config: to }).toString();
    expect(after).toBe(manifest.replace(OLD, to.digest).replace('"size":7', '"size":3'));
    expect(digestOf(after)).toBe('sha256:19baadf09d972f12df84a1b5caf80ce6b99e20bc3ed268276ed8e9acd741df6f');
  });

  it('gets annotations in sorted order after what it has', () => {
    const before = manifest.replace('{"schema', '{"annotations":{"k":"1","a":"0"},"schema');
    const after = relabelManifest(Buffer.from(before), {
      config: to,
      annotations: { k: '2', c: '3', b: '4' },
    });
    expect(after.toString()).toContain('"annotations":{"k":"2","a":"0","b":"4","c":"3"}');
  });

  it('loses the embedded copy of the old config', () => {
    const before = manifest.replace('"x.unknown":1e3', '"data":"b2xk"');
    const after = relabelManifest(Buffer.from(before), { config: to }).toString();
    expect(after).toContain(`"config":{"mediaType":"c","digest":"${to.digest}","size":3},`);
  });

  it('without a config is refused', () => {
    expect(() => relabelManifest(Buffer.from('{"layers":[]}'), { config: to })).toThrow('has no "config"');
  });
});

describe('an index', () => {
  const entry = (digest: string, more = ''): string => `{"digest":"${digest}","size":7${more}}`;
  const attestation = entry(
    digestOf('att'),
    ',"annotations":{"vnd.docker.reference.type":"attestation-manifest"}',
  );
  const index = (...entries: string[]): string => `{"manifests":[${entries.join(',')}],"9":1.0}`;
  const replacements = new Map([[OLD, to]]);

  it('points at new manifests, carries others over and drops attestations', () => {
    const other = entry(digestOf('other'), ',"platform":{"os":"linux","features":["x"]}');
    const before = index(entry(OLD, ',"platform":{"os.features":[]}'), attestation, other);
    const after = relabelIndex(Buffer.from(before), { replacements, keep: () => true }).toString();
    expect(after).toBe(index(`{"digest":"${to.digest}","size":3,"platform":{"os.features":[]}}`, other));
    expect(digestOf(after)).toBe('sha256:529f8b5bf47d7025da8589027d737b05ff2b6370cdcfcf26ba3dbd23000cbeaa');
  });

  it('points at the new manifest wherever the old one is listed', () => {
    const before = Buffer.from(index(entry(OLD), entry(OLD)));
    const after = relabelIndex(before, { replacements, keep: () => true }).toString();
    expect(after).toBe(index(entry(to.digest), entry(to.digest)).replaceAll('"size":7', '"size":3'));
  });

  it('lists only what is kept', () => {
    const before = Buffer.from(index(entry(digestOf('x')), entry(OLD), entry(digestOf('y'))));
    const after = relabelIndex(before, { replacements, keep: (at) => at === 1, annotations: { a: 'b' } });
    expect(after.toString()).toBe(
      `{"manifests":[{"digest":"${to.digest}","size":3}],"9":1.0,"annotations":{"a":"b"}}`,
    );
  });

  it('that lists a digest twice in one entry is refused', () => {
    const before = Buffer.from(index(entry(OLD, `,"digest":"${OLD}"`)));
    expect(() => relabelIndex(before, { replacements, keep: () => true })).toThrow('"digest" twice');
  });
});
