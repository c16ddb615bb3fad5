import { describe, expect, it } from 'vitest';
import type { ImageRecord } from '../../src/contract/outcome.js';
import { digestOf } from '../../src/registry/digest.js';
import { readRecords } from '../../src/report/records.js';
import { reportSchema } from '../../src/report/schema.js';
import { config, mirrored, unchanged, verdict } from '../support/report-fixture.js';
import { Reports, verdictIn, vulnerabilities } from './store.js';

const log = { key: 'runs/r/builds/log.txt', digest: digestOf('log') };
const step = {
  name: 'sign',
  at: 'after-push' as const,
  ok: false,
  message: 'step sign ended with code 1: <no key>',
  ms: 1200,
  output: { key: 'runs/r/steps/after-push-sign-a_b_1.txt', digest: digestOf('no key') },
};

/** An image that an engine built for one platform; another is labelled, and a third is left out. */
function built(): ImageRecord {
  const record = mirrored('a/b:1');
  if (record.outcome.kind !== 'mirrored') throw new Error('the fixture is mirrored');
  const platforms = record.outcome.built.platforms.map((one, at) => ({
    ...one,
    how: at === 0 ? ('built' as const) : ('labelled' as const),
  }));
  return {
    ...record,
    outcome: {
      ...record.outcome,
      built: { ...record.outcome.built, platforms, skipped: ['windows/amd64'], log },
      builtVerdict: verdict({ rule: 'after the build' }),
      templateSteps: [step],
    },
  };
}

/** The same, kept out by the scan of what was built. */
function blocked(): ImageRecord {
  const { item, outcome } = built();
  if (outcome.kind !== 'mirrored' || outcome.verdict === null) throw new Error('the fixture is mirrored');
  const { built: made, verdict: source, steps } = outcome;
  const builtVerdict = verdict({ decision: 'block', rule: 'after the build' });
  return { item, outcome: { kind: 'blocked', verdict: source, built: made, builtVerdict, steps } };
}

describe('an image that was built', () => {
  it('comes back from its page of outcomes as it was', () => {
    const records = [built(), blocked(), mirrored('c/d:1'), { ...unchanged('e/f:1', null) }];
    const last = records.at(-1)?.item;
    if (last?.state === 'unchanged') last.skipped = ['windows/amd64'];
    expect(readRecords(Buffer.from(JSON.stringify(records)))).toEqual(records);
  });

  it('is in the report with what was built, what was left out, its log and its steps', async () => {
    const reports = await Reports.create();
    const { json, html } = await reports.write([built(), mirrored('c/d:1')], {
      engine: { version: '20.10.24', platforms: ['linux/amd64'] },
    });
    const report = reportSchema.parse(JSON.parse(json));
    const [image, other] = report.images;
    expect(image).toMatchObject({
      skippedPlatforms: ['windows/amd64'],
      buildLog: log,
      templateSteps: [step],
    });
    expect(image?.platforms.map(({ platform, how }) => [platform, how])).toEqual([
      ['linux/amd64', 'built'],
      ['linux/arm64', 'labelled'],
    ]);
    expect(other).toMatchObject({ skippedPlatforms: [], buildLog: null, templateSteps: [] });
    expect(report.engine).toEqual({ version: '20.10.24', platforms: ['linux/amd64'] });
    expect(report.needsAttention.map(({ kind, subject }) => [kind, subject])).toEqual([
      ['step-failed', 'a/b:1'],
      ['platform-left-out', 'a/b:1'],
    ]);
    expect(report.evidence).toEqual(
      expect.arrayContaining([
        { what: 'build log', ...log },
        { what: 'output of step sign', ...step.output },
      ]),
    );
    expect(html).toContain('windows/amd64<small>left out</small>');
    expect(html).toContain('linux/amd64<small>built</small>');
    expect(html).toContain(`<a href="../../${log.key}">build log</a>`);
    expect(html).toContain('step sign ended with code 1: &lt;no key&gt;');
    expect(html).toContain('20.10.24');
  });

  it('and then blocked keeps its log, and says what was built; none of it is in the registry', async () => {
    const reports = await Reports.create();
    const { json, html } = await reports.write([blocked()]);
    const { images, evidence } = reportSchema.parse(JSON.parse(json));
    expect(images[0]).toMatchObject({
      buildLog: log,
      targetDigest: null,
      skippedPlatforms: ['windows/amd64'],
    });
    expect(images[0]?.platforms).toMatchObject([
      { platform: 'linux/amd64', how: 'built', targetDigest: null },
      { platform: 'linux/arm64', how: 'labelled', targetDigest: null },
    ]);
    expect(evidence).toContainEqual({ what: 'build log', ...log });
    expect(html).toContain(`<a href="../../${log.key}">build log</a>`);
  });
});

describe('a platform that was left out', () => {
  const CONFIG = { ...config, buildPush: { ...config.buildPush, engine: 'buildkit' as const } };

  /** A source that is warned of for a platform that the copy has not. */
  async function parts(reports: Reports) {
    const found = vulnerabilities(2);
    const record = await reports.scanned(
      'a/b:1',
      { 'linux/amd64': found.slice(0, 1), 'linux/arm64': found.slice(1) },
      { decision: 'warn', rule: 'a thing on linux/arm64' },
    );
    const of = await reports.scanned('built', { 'linux/amd64': found.slice(0, 1) }, { rule: 'fine' });
    return { record, source: verdictIn(record), builtVerdict: verdictIn(of), id: found[0]?.VulnerabilityID };
  }

  it('decides nothing, and none of its findings is shown', async () => {
    const reports = await Reports.create();
    const { record, builtVerdict, id } = await parts(reports);
    const { outcome } = record;
    if (outcome.kind !== 'mirrored') throw new Error('the fixture is mirrored');
    const platforms = outcome.built.platforms.slice(0, 1).map((one) => ({ ...one, how: 'built' as const }));
    const made = { ...outcome.built, platforms, skipped: ['linux/arm64'] };
    const { json, html } = await reports.write(
      [{ ...record, outcome: { ...outcome, built: made, builtVerdict } }],
      { config: CONFIG },
    );
    const { images, needsAttention } = reportSchema.parse(JSON.parse(json));
    expect(images[0]?.outcome.note).not.toContain('warning');
    expect(images[0]?.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64']);
    expect(images[0]?.findings.list.map((one) => one.id)).toEqual([id]);
    expect(needsAttention.map(({ kind }) => kind)).toEqual(['platform-left-out']);
    expect(html.match(/linux\/arm64<small>left out/g)).toHaveLength(1);
  });

  it('is still left out of an image that is unchanged since', async () => {
    const reports = await Reports.create();
    const { source, builtVerdict, id } = await parts(reports);
    const record = unchanged('a/b:1', 'verdicts/source.json');
    if (record.item.state === 'unresolved' || record.item.lastVerdict === null)
      throw new Error('it is known');
    record.item.skipped = ['linux/arm64'];
    record.item.lastVerdict.decision = 'warn';
    await reports.evidence.put('verdicts/source.json', JSON.stringify(source));
    const target = digestOf('target a/b:1').slice('sha256:'.length);
    await reports.evidence.put(`verdicts/${target}.json`, JSON.stringify(builtVerdict));
    const { json } = await reports.write([record], { config: CONFIG });
    const { images, needsAttention } = reportSchema.parse(JSON.parse(json));
    expect(images[0]).toMatchObject({ skippedPlatforms: ['linux/arm64'], builtVerdict: { rule: 'fine' } });
    expect(images[0]?.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64']);
    expect(images[0]?.findings.list.map((one) => one.id)).toEqual([id]);
    expect(needsAttention.map(({ kind }) => kind)).toEqual(['platform-left-out']);
  });
});

describe('the templates of a run', () => {
  it('are in the report as they were when it was resolved', async () => {
    const reports = await Reports.create();
    const text = 'labels: { a.b: "<script>" }\n';
    const file = await reports.evidence.put(`templates/${digestOf(text).slice(7)}`, text);
    const { json, html } = await reports.write([mirrored('c/d:1')], {
      config: { ...config, buildPush: { ...config.buildPush, text: file } },
    });
    const { configuration, evidence } = reportSchema.parse(JSON.parse(json));
    expect(configuration?.buildPushTemplate).toMatchObject({ text, file });
    expect(configuration?.gatherScanTemplate).toMatchObject({ text: null, file: null });
    expect(evidence).toContainEqual({ what: `template ${config.buildPush.name}`, ...file });
    expect(html).toContain('labels: { a.b: &quot;&lt;script&gt;&quot; }');
  });

  it('are cut when they are long, and left out when they are not what they were', async () => {
    const reports = await Reports.create();
    const long = `# ${'x'.repeat(100_000)}`;
    const file = await reports.evidence.put('templates/long', long);
    const write = async () => {
      const { json } = await reports.write([mirrored('c/d:1')], {
        config: { ...config, gatherScan: { ...config.gatherScan, text: file } },
      });
      return reportSchema.parse(JSON.parse(json)).configuration?.gatherScanTemplate.text;
    };
    expect(await write()).toHaveLength(32 * 1024 + 1);
    await reports.evidence.put('templates/long', 'something else');
    expect(await write()).toBeNull();
  });
});
