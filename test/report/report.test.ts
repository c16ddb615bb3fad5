import { describe, expect, it } from 'vitest';
import type { RunSummaryForReport } from '../../src/contract/activities.js';
import type { ImageRecord } from '../../src/contract/outcome.js';
import { renderHtml } from '../../src/report/html.js';
import { buildReport } from '../../src/report/model.js';
import { reportSchema } from '../../src/report/schema.js';
import { config, fleet, item, mirrored, summary, unchanged, verdict } from '../support/report-fixture.js';

const old = new Map([['verdicts/old.json', verdict({ scannedAt: '2026-02-20T02:00:00.000Z' })]]);
const reportOf = (records: ImageRecord[], more: Partial<RunSummaryForReport> = {}) =>
  buildReport(summary(more), records, { verdicts: old });
const attention = (report: ReturnType<typeof reportOf>) =>
  report.needsAttention.map(({ kind, subject }) => `${kind} ${subject}`);
const ended = { kind: 'failed', type: 'ImagesFailed', message: '3 images' } as const;

describe('the report', () => {
  it('is what its published schema says', () => {
    for (const report of [reportOf(fleet(35), { ended }), reportOf([], { config: null, database: null })])
      expect(reportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  it('is good when every image is', () => {
    const report = reportOf([mirrored('a/b:1'), unchanged('c/d:2', 'verdicts/old.json')]);
    expect(report.verdict).toEqual({
      ok: true,
      scanned: true,
      sentence: 'All 2 images are as they should be in registry.example.com/ci.',
    });
    expect(report.needsAttention).toEqual([]);
  });

  it('puts what needs attention first, worst first', () => {
    const report = reportOf(fleet(2), { ended });
    expect(report.verdict.ok).toBe(false);
    expect(report.verdict.sentence).toBe(
      '4 of 7 images are as they should be in registry.example.com/ci; 1 failed, 1 blocked by policy, 1 could not be resolved; 1 has a warning.',
    );
    expect(attention(report)).toEqual([
      'blocked plugins/kaniko:1.11.0',
      'failed plugins/s3:1.5.4',
      'unresolved harness/gone:dev',
      'drift harness/drone-git:1.7.6',
      'not-scannable harness/ci-addon:1.16.92',
    ]);
  });

  it('says in one place which image was blocked, why, what it means for the account, and what to do', () => {
    const [first] = reportOf(fleet(2), { ended }).needsAttention;
    expect(first).toMatchObject({ kind: 'blocked', subject: 'plugins/kaniko:1.11.0' });
    expect(first?.text).toMatch(
      /^2 fixable CRITICAL findings on .*Nothing of it was pushed, and K8 \w+ stays? as it was.* wait for a fixed version, which the next run takes, or add an exception/,
    );
  });

  it.each(['GraphQL', 'REST'] as const)('says that Harness answered over %s', (answeredBy) => {
    const report = reportOf([mirrored('a/b:1')], { answeredBy });
    expect(report.configuration?.answeredBy).toBe(answeredBy);
    expect(renderHtml(report)).toContain(`answered by ${answeredBy}`);
  });

  it('shows the last verdict of an unchanged image, and its age', () => {
    const [image] = reportOf([unchanged('c/d:2', 'verdicts/old.json')]).images;
    expect(image?.verdict).toMatchObject({ decision: 'pass', thisRun: false, ageHours: 216 });
    expect(image?.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
  });

  it('says unscanned before anything else when the run did not scan', () => {
    const report = reportOf([mirrored('a/b:1', null)], { config: { ...config, scan: false } });
    expect(report.verdict.sentence).toMatch(/^Unscanned: /);
    expect(attention(report)).toEqual(['unscanned 1 image']);
    const page = renderHtml(report);
    expect(page.slice(page.indexOf('<main>'), page.indexOf('</p>'))).toContain('Unscanned: ');
  });

  it('names an image that no scan is on record for, though the run scanned', () => {
    expect(attention(reportOf([unchanged('c/d:2', null)]))).toEqual(['unscanned c/d:2']);
  });

  it('warns of findings and of exceptions that ran out', () => {
    const { gatherScan } = config;
    const exceptions = ['2026-02-28', '2026-03-01'].map((expires) => ({
      id: `CVE-${expires}`,
      owner: 'alice',
      reason: 'no shell',
      expires,
    }));
    const warned = mirrored('a/b:1', verdict({ decision: 'warn', rule: '1 fixable CRITICAL' }));
    const report = reportOf([warned], {
      config: { ...config, gatherScan: { ...gatherScan, policy: { ...gatherScan.policy, exceptions } } },
    });
    expect(attention(report)).toEqual(['findings a/b:1', 'exception-expired CVE-2026-02-28']);
  });

  it('says that the account was refused, and which fields were', () => {
    const report = reportOf([mirrored('a/b:1')], {
      accounts: [
        {
          infra: 'K8',
          account: 'acme',
          kind: 'refused',
          reason: 'the connector is not there',
          snapshotKey: null,
          updated: [],
          rejected: [{ field: 'newTag', value: 'x', reason: 'does not exist' }],
        },
      ],
    });
    expect(report.verdict.ok).toBe(false);
    expect(report.verdict.sentence).toMatch(/The account was not updated for K8\.$/);
    expect(attention(report)).toEqual(['account-refused acme K8', 'field-rejected K8 newTag']);
  });

  it('is written of a cancelled and of a refused run too', () => {
    const cancelled: ImageRecord = { item: item('a/b:1'), outcome: { kind: 'cancelled' } };
    expect(reportOf([cancelled], { ended: { kind: 'cancelled' } }).verdict).toMatchObject({
      ok: false,
      sentence: expect.stringMatching(/^The run was cancelled\. 0 of 1 image .*1 left undone/),
    });
    const refused = reportOf([], {
      config: null,
      ended: { kind: 'failed', type: 'InvalidInput', message: 'registry is missing' },
    });
    expect(refused.verdict.sentence).toBe('The run failed (InvalidInput): registry is missing');
  });
});

describe('the page', () => {
  it('asks for nothing from anywhere and runs nothing but its own script', () => {
    const page = renderHtml(reportOf(fleet(35), { ended }));
    expect(page).not.toMatch(/<link|<img|<iframe|@import|url\(|\bsrc=/i);
    expect(page.match(/<script/gi)).toHaveLength(1);
    expect(
      [...page.matchAll(/href="([^"]*)"/g)].filter(([, href]) => /^[a-z]+:|^\/\//i.test(href ?? '')),
    ).toEqual([]);
  });

  it('shows hostile names as the text they are', () => {
    const evil = '<script>alert(1)</script>"\'&\u202egnp.exe\u0000';
    const record = mirrored('a/b:1');
    const page = renderHtml(
      reportOf(
        [
          { ...record, item: { ...record.item, image: evil } },
          {
            item: item('c/d:1'),
            outcome: { kind: 'failed', step: 'scan', type: evil, message: evil.repeat(10_000) },
          },
        ],
        { workflowId: evil },
      ),
    );
    expect(page.match(/<script/gi)).toHaveLength(1);
    expect(page).not.toContain('\u202e');
    expect(page).toContain('[U+202E]');
    expect(page.length).toBeLessThan(100_000);
  });

  it('does not link to a key that leads elsewhere', () => {
    const [first] = verdict().platforms;
    if (first === undefined) throw new Error('the fixture has platforms');
    const platforms = ['javascript:alert(1)', '../../../etc/passwd', '//evil.example'].map((key, index) => ({
      ...first,
      platform: `linux/p${index}`,
      evidence: { ...first.evidence, key },
    }));
    const page = renderHtml(reportOf([mirrored('a/b:1', verdict({ platforms }))]));
    expect([...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      'report.json',
      'report.csv',
      'report.sarif',
    ]);
  });
});
