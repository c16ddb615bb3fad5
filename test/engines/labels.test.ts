import { describe, expect, it } from 'vitest';
import { MARK } from '../../src/contract/names.js';
import { labelsFor } from '../../src/engines/labels.js';
import { digestOf } from '../../src/registry/digest.js';
import { buildTask } from './task.js';

const OCI = 'org.opencontainers.image.';
const sourceDigest = digestOf('source');
const labels = (source: string, upstream = {}, template = {}) =>
  labelsFor(buildTask(source, sourceDigest, { labels: template }), upstream);

describe('the labels of a copy', () => {
  it('say where it came from, and nothing about the run', () => {
    expect(labels('docker.io/harness/ci-addon:1.16.92')).toEqual({
      [MARK.source]: 'docker.io/harness/ci-addon:1.16.92',
      [MARK.sourceDigest]: sourceDigest,
      [MARK.templateDigest]: digestOf('template'),
      [`${OCI}title`]: 'ci-addon',
      [`${OCI}version`]: '1.16.92',
      [`${OCI}vendor`]: 'harness',
      [`${OCI}source`]: 'https://hub.docker.com/r/harness/ci-addon',
      [`${OCI}base.name`]: 'docker.io/harness/ci-addon:1.16.92',
      [`${OCI}base.digest`]: sourceDigest,
    });
  });

  it.each([
    ['docker.io/library/alpine:3', { title: 'alpine', source: 'https://hub.docker.com/_/alpine' }],
    [
      'quay.io/mirror/plugins/s3:1',
      { title: 's3', vendor: 'plugins', source: 'https://quay.io/mirror/plugins/s3' },
    ],
    ['registry.example:5000/tool:1', { title: 'tool', source: 'https://registry.example:5000/tool' }],
  ])('of %s are true for its kind of name', (source, expected) => {
    const { title, vendor, source: page } = { vendor: undefined, ...expected };
    const all = labels(source);
    expect([all[`${OCI}title`], all[`${OCI}vendor`], all[`${OCI}source`]]).toEqual([title, vendor, page]);
  });

  it('claim no version for a source that has no tag', () => {
    expect(labels(`docker.io/harness/ci-addon@${sourceDigest}`)).not.toHaveProperty([`${OCI}version`]);
  });

  it('leave what upstream says of itself, and never pair its base with ours', () => {
    const upstream = { [`${OCI}title`]: 'CI addon', [`${OCI}version`]: '', [`${OCI}base.name`]: 'alpine:3' };
    const set = Object.keys(labels('docker.io/harness/ci-addon:1', upstream));
    expect(set.toSorted()).toEqual([...Object.values(MARK), `${OCI}source`, `${OCI}vendor`].toSorted());
  });

  it('are the template’s where it has them, except the marks', () => {
    const template = {
      team: 'ci',
      [`${OCI}title`]: 'ours',
      [MARK.source]: 'forged',
      [MARK.templateDigest]: 'x',
    };
    const set = labels('docker.io/harness/ci-addon:1', { [`${OCI}title`]: 'theirs' }, template);
    expect(set).toMatchObject({
      team: 'ci',
      [`${OCI}title`]: 'ours',
      [MARK.source]: 'docker.io/harness/ci-addon:1',
      [MARK.templateDigest]: digestOf('template'),
    });
  });
});
