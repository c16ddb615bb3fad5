import { describe, expect, it } from 'vitest';
import { type DiscoveryInput, discover } from '../../src/harness/discovery.js';
import { REGISTRY, sampleFields } from '../support/harness.js';

const K8 = (fields: Record<string, string>, customer: Record<string, string> = {}) => ({
  infra: 'K8' as const,
  default: fields,
  customer,
});

const find = (input: Partial<DiscoveryInput>) =>
  discover({
    configs: [],
    sources: ['default'],
    includes: [],
    exclude: [],
    extraImages: [],
    sourceRegistries: ['docker.io'],
    registry: REGISTRY,
    ...input,
  });
const names = (input: Partial<DiscoveryInput>) => find(input).map(({ name }) => name);
const sample = K8(sampleFields('default-config.k8.json'));

describe('discovery', () => {
  it('finds the 40 distinct images of the 48 published fields, sorted', () => {
    const images = find({ configs: [sample] });
    expect(images).toHaveLength(40);
    expect(images.flatMap(({ fields }) => fields)).toHaveLength(48);
    expect(images.map(({ name }) => name)).toEqual(images.map(({ name }) => name).sort());
    expect(images.filter(({ problem }) => problem)).toEqual([]);
  });

  it('does not depend on the order of fields, infras or extra images', () => {
    const vm = { infra: 'VM' as const, default: sampleFields('default-config.vm.json'), customer: {} };
    const turned = K8(Object.fromEntries(Object.entries(sample.default).reverse()));
    expect(find({ configs: [vm, turned], extraImages: ['b/b:1', 'a/a:1'] })).toEqual(
      find({ configs: [sample, vm], extraImages: ['a/a:1', 'b/b:1'] }),
    );
  });

  it('gathers every field of an image, over all infras', () => {
    const vm = { infra: 'VM' as const, default: { cacheS3Tag: 'plugins/cache:1' }, customer: {} };
    expect(
      find({ configs: [vm, K8({ cacheS3Tag: 'plugins/cache:1', cacheGCSTag: 'plugins/cache:1' })] }),
    ).toEqual([
      {
        name: 'plugins/cache:1',
        candidates: ['docker.io/plugins/cache:1'],
        target: `${REGISTRY}/plugins/cache:1`,
        fields: [
          { infra: 'K8', field: 'cacheGCSTag' },
          { infra: 'K8', field: 'cacheS3Tag' },
          { infra: 'VM', field: 'cacheS3Tag' },
        ],
      },
    ]);
  });

  it.each<[string, string[], string[]]>([
    [
      'harness/ci-addon:1',
      ['docker.io/harness/ci-addon:1', 'mirror.corp/hub/harness/ci-addon:1'],
      ['harness/ci-addon:1'],
    ],
    ['alpine:3', ['docker.io/library/alpine:3', 'mirror.corp/hub/alpine:3'], ['alpine:3']],
    ['alpine', ['docker.io/library/alpine:latest', 'mirror.corp/hub/alpine:latest'], ['alpine:latest']],
    ['docker.io/library/alpine:3', ['docker.io/library/alpine:3'], ['alpine:3']],
    ['gcr.io/p/x:1', ['gcr.io/p/x:1'], ['p/x:1']],
    ['gcr.io/library/x:1', ['gcr.io/library/x:1'], ['library/x:1']],
    ['localhost:5000/a/b:1', ['localhost:5000/a/b:1'], ['a/b:1']],
    [
      `a/b:1@sha256:${'0'.repeat(64)}`,
      [`docker.io/a/b@sha256:${'0'.repeat(64)}`, `mirror.corp/hub/a/b@sha256:${'0'.repeat(64)}`],
      ['a/b:1'],
    ],
  ])('looks for %s at %j and copies it to %s', (name, candidates, [below]) => {
    expect(find({ extraImages: [name], sourceRegistries: ['docker.io', 'mirror.corp/hub/'] })).toEqual([
      { name, candidates, target: `${REGISTRY}/${below}`, fields: [] },
    ]);
  });

  it.each<[string, string[], string[], string[]]>([
    ['a field', ['addonTag'], [], ['harness/ci-addon:1.16.92']],
    ['fields by glob', ['addon*'], [], ['harness/ci-addon:1.16.92', 'harness/ci-addon:rootless-1.16.92']],
    ['a repository', ['plugins/cache'], [], ['plugins/cache:1.9.8']],
    [
      'repositories by glob, less some',
      ['harness/ci-*'],
      ['*Rootless'],
      ['harness/ci-addon:1.16.92', 'harness/ci-lite-engine:1.16.92'],
    ],
    [
      'all but some repositories',
      ['plugins/**'],
      ['plugins/{kaniko,buildx,harness}*', 'plugins/*s*'],
      ['plugins/artifactory:1.7.6', 'plugins/cache:1.9.8'],
    ],
    ['extra images too', ['quay.io/**'], [], ['quay.io/x/y:1']],
    ['without their host', ['x/*'], [], ['quay.io/x/y:1']],
    ['nothing', ['nothing'], [], []],
  ])('takes %s: include %j, exclude %j', (_what, include, exclude, expected) => {
    expect(
      names({ configs: [sample], extraImages: ['quay.io/x/y:1'], includes: [include], exclude }),
    ).toEqual(expected);
  });

  it('drops only the excluded field of an image that another field names', () => {
    const configs = [K8({ cacheS3Tag: 'plugins/cache:1', cacheGCSTag: 'plugins/cache:1' })];
    const [image] = find({ configs, exclude: ['cacheGCSTag'] });
    expect(image?.fields).toEqual([{ infra: 'K8', field: 'cacheS3Tag' }]);
  });

  describe('with overrides of the account', () => {
    const configs = [K8({ a: 'harness/a:2', b: 'harness/b:2' }, { a: 'harness/a:1', c: 'acme/c:1' })];

    it('ships what Harness ships when asked for the default', () => {
      expect(names({ configs, sources: ['default'] })).toEqual(['harness/a:2', 'harness/b:2']);
    });
    it('takes only the overrides when asked for the customer', () => {
      expect(names({ configs, sources: ['customer'] })).toEqual(['acme/c:1', 'harness/a:1']);
    });
    it.each([[['default', 'customer']], [['customer', 'default']]] as const)(
      'keeps pins with %j',
      (sources) => {
        expect(names({ configs, sources })).toEqual(['acme/c:1', 'harness/a:1', 'harness/b:2']);
      },
    );

    it('reads an override that points into our registry as its source', () => {
      const own = {
        a: `${REGISTRY}/harness/a:1`,
        g: 'Registry.Example.com/ci/p/g:1',
        other: 'registry.example.com/cinema/x:1',
      };
      const images = find({
        configs: [K8({ g: 'gcr.io/p/g:1' }, own)],
        sources: ['customer'],
      });
      expect(images.map(({ name, target }) => [name, target])).toEqual([
        ['gcr.io/p/g:1', `${REGISTRY}/p/g:1`],
        ['harness/a:1', `${REGISTRY}/harness/a:1`],
        ['registry.example.com/cinema/x:1', `${REGISTRY}/cinema/x:1`],
      ]);
    });

    const ours = (version: string) => `${REGISTRY}/harness/a:${version}`;
    const both = (version: string, override: string, followed?: Record<string, string[]>) =>
      names({
        configs: [
          {
            ...K8({ a: `harness/a:${version}` }, { a: override }),
            followed: followed && new Map(Object.entries(followed)),
          },
        ],
        sources: ['default', 'customer'],
      });

    it.each<[string, string, string, Record<string, string[]> | undefined, string]>([
      ['goes on from what an earlier run set', '3', ours('2'), { a: [ours('2')] }, '3'],
      ['goes on from either value of a run that broke', '3', ours('1'), { a: [ours('1'), ours('2')] }, '3'],
      ['goes on from a value without a host', '3', 'harness/a:2', { a: ['harness/a:2'] }, '3'],
      ['goes on from ours when nothing is on record', '3', ours('2'), undefined, '3'],
      ['keeps a pin', '3', 'harness/a:1', undefined, '1'],
      ['keeps a pin whose copy an earlier run set', '3', ours('1'), {}, '1'],
      ['keeps a copy that someone chose since', '3', ours('1'), { a: [ours('2')] }, '1'],
    ])('%s: default %s, override %s, on record %j', (_what, version, override, followed, expected) => {
      expect(both(version, override, followed)).toEqual([`harness/a:${expected}`]);
    });

    it('keeps our copy of an image that Harness no longer ships', () => {
      expect(both('3', ours('3'))).toEqual(['harness/a:3']);
      const gone = { configs: [K8({}, { a: ours('2') })], sources: ['default', 'customer'] as const };
      expect(names(gone)).toEqual(['harness/a:2']);
    });

    it('gives after a run the same images as before it', () => {
      const own = Object.fromEntries(
        Object.entries(sample.default).map(([field, value]) => [field, `${REGISTRY}/${value}`]),
      );
      const again = find({ configs: [K8(sample.default, own)], sources: ['default', 'customer'] });
      expect(again).toEqual(find({ configs: [sample] }));
    });
  });

  describe('reports as a problem', () => {
    it('two sources for one target, on both, naming each other', () => {
      const images = find({ extraImages: ['quay.io/x/y:1', 'gcr.io/x/y:1', 'gcr.io/x/y:2'] });
      const problem = expect.stringMatching(/gcr\.io\/x\/y:1 and quay\.io\/x\/y:1 .*exclude all but one/);
      expect(images.map(({ problem: found }) => found)).toEqual([problem, undefined, problem]);
    });

    it('not two spellings of one source', () => {
      const images = find({ extraImages: ['alpine:3', 'docker.io/library/alpine:3', 'library/alpine:3'] });
      expect(images).toMatchObject([{ name: 'alpine:3', target: `${REGISTRY}/alpine:3` }]);
      expect(images[0]).not.toHaveProperty('problem');
    });

    describe('with several source registries', () => {
      const sourceRegistries = ['docker.io', 'gcr.io'];
      const general = 'harness/a:2';

      it.each(['docker.io/harness/a:2', 'gcr.io/harness/a:2'])('not %s beside its short name', (spelling) => {
        const fields = { x: spelling, y: general };
        const expected = [
          {
            name: general,
            candidates: ['docker.io/harness/a:2', 'gcr.io/harness/a:2'],
            target: `${REGISTRY}/harness/a:2`,
            fields: [
              { infra: 'K8', field: 'x' },
              { infra: 'K8', field: 'y' },
            ],
          },
        ];
        expect(find({ configs: [K8(fields)], sourceRegistries })).toEqual(expected);
      });

      it('but two of them that are spelled out are, whatever else names the image', () => {
        const extraImages = ['docker.io/harness/a:2', 'gcr.io/harness/a:2', general];
        const images = find({ extraImages, sourceRegistries });
        expect(images.map(({ problem }) => problem)).toEqual(
          Array(3).fill(expect.stringContaining('different sources')),
        );
      });

      it('and so is one that is looked for elsewhere', () => {
        const images = find({ extraImages: ['quay.io/harness/a:2', general], sourceRegistries });
        expect(images).toHaveLength(2);
        expect(images[0]).toHaveProperty('problem');
      });
    });

    it.each([
      ['Harness/Addon:1', 'is not an image reference'],
      ['', 'is not an image reference'],
      ['a/b:', 'is not an image reference'],
      ['a/b@sha256:12', 'is not an image reference'],
    ])('the unreadable name %j', (name, why) => {
      expect(find({ configs: [K8({ field: name })] })).toEqual([
        {
          name,
          candidates: [],
          target: null,
          fields: [{ infra: 'K8', field: 'field' }],
          problem: expect.stringContaining(why),
        },
      ]);
    });

    it('a digest without a tag', () => {
      const [image] = find({ extraImages: [`a/b@sha256:${'0'.repeat(64)}`] });
      expect(image).toMatchObject({ target: null, problem: expect.stringContaining('no tag to push it to') });
    });

    it('an image that would be pushed onto itself', () => {
      const [image] = find({ extraImages: ['a/b:1'], sourceRegistries: [REGISTRY] });
      expect(image).toMatchObject({ candidates: [], problem: expect.stringContaining('onto itself') });
    });
  });
});
