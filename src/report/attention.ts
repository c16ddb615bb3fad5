import { AFTER_BLOCK, AFTER_BUILD } from '../contract/note.js';
import { SEVERITIES } from '../contract/verdict.js';
import { decidingOf, standingScan } from './deciding.js';
import type { Attention, Report, ReportImage } from './schema.js';
import { ATTENTION_KINDS } from './schema.js';

/** Everything in a report that a person should look at, worst first. */
export function attentionOf(report: Report): Attention[] {
  const list: Attention[] = [];
  const add = (kind: Attention['kind'], level: Attention['level'], subject: string, text: string): void =>
    void list.push({ kind, level, subject, text });
  const { end } = report.run;
  if (end.kind === 'cancelled')
    add('ended-early', 'warning', 'run', 'The run was cancelled; start it again to go on.');
  if (end.kind === 'failed' && end.type !== 'ImagesFailed')
    add('ended-early', 'error', 'run', `${end.message} (${end.type})`);

  for (const image of report.images) ofImage(report, image, add);

  if (!report.verdict.scanned && report.images.length > 0) {
    const without = report.images.filter(isHere).length;
    add(
      'unscanned',
      'warning',
      `${without} image${without === 1 ? '' : 's'}`,
      'This run did not scan. Run again with scanning to make up for it.',
    );
  }
  for (const step of report.templateSteps) ofStep('run', step, add);
  for (const account of report.accounts) {
    const subject = `${account.account} ${account.infra}`;
    if (account.kind === 'refused' || account.kind === 'failed')
      add('account-refused', 'error', subject, account.reason);
    for (const { field, reason } of account.rejected)
      add('field-rejected', 'warning', `${account.infra} ${field}`, reason);
  }
  for (const { id, package: name, owner, expires, expired } of report.exceptions)
    if (expired)
      add(
        'exception-expired',
        'warning',
        name === null ? id : `${id} ${name}`,
        `The exception of ${owner} ran out on ${expires}: renew it or take it out of the template.`,
      );
  const rank = (one: Attention): number =>
    (one.level === 'error' ? 0 : ATTENTION_KINDS.length) + ATTENTION_KINDS.indexOf(one.kind);
  return list.sort((a, b) => rank(a) - rank(b)); // stable: images stay in their order
}

/** Whether the registry holds a copy that this run stands for. */
const isHere = ({ outcome }: Pick<ReportImage, 'outcome'>): boolean =>
  outcome.kind === 'mirrored' || outcome.kind === 'rescanned' || outcome.kind === 'unchanged';

type Add = (kind: Attention['kind'], level: Attention['level'], subject: string, text: string) => void;

function ofStep(subject: string, { ok, name, at, message }: Report['templateSteps'][number], add: Add): void {
  if (!ok) add('step-failed', 'warning', subject, `Step ${name} of a template, ${at}: ${message}`);
}

function ofImage(report: Report, reported: ReportImage, add: Add): void {
  const { image, outcome, drift, platforms, target, fields, templateSteps, skippedPlatforms } = reported;
  const { verdict, afterBuild } = decidingOf(reported);
  if (outcome.kind === 'blocked') add('blocked', 'error', image, `${outcome.note}. ${afterBlock(fields)}`);
  if (outcome.kind === 'failed' || outcome.kind === 'unresolved')
    add(outcome.kind, 'error', image, outcome.note);
  if (outcome.kind === 'skipped') add('skipped', 'warning', image, outcome.note);
  if (drift !== null)
    add(
      'drift',
      'warning',
      image,
      `${target} ${drift === 'missing' ? 'was gone' : 'held something that the factory did not push'}; ${
        outcome.kind === 'mirrored' ? 'it was put back' : 'it was not put back'
      }.`,
    );
  for (const step of templateSteps) ofStep(image, step, add);
  if (skippedPlatforms.length > 0)
    add(
      'platform-left-out',
      'warning',
      image,
      `${skippedPlatforms.join(', ')}: not in the copy, since the Docker Engine can’t build it and the template says onUnbuildablePlatform: skip.`,
    );
  const blind = platforms.filter((platform) => standingScan(platform)?.status === 'not-scannable');
  if (blind.length > 0)
    add(
      'not-scannable',
      'warning',
      image,
      `${blind.map(({ platform }) => platform).join(', ')}: ${(blind[0] && standingScan(blind[0])?.reason) ?? 'nothing was recognised'}`,
    );
  if (
    verdict?.decision === 'warn' &&
    outcome.kind !== 'blocked' &&
    (blind.length === 0 || hits(report, platforms))
  )
    add('findings', 'warning', image, `${afterBuild ? AFTER_BUILD : ''}${verdict.rule}`);
  if (report.verdict.scanned && verdict === null && isHere({ outcome }))
    add('unscanned', 'warning', image, 'No scan of it is on record.');
}

/** What a block means for the account, and the ways out of it. */
const afterBlock = (fields: ReportImage['fields']): string =>
  `Nothing of it was pushed${
    fields.length === 0
      ? ''
      : `, and ${fields.map(({ infra, field }) => `${infra} ${field}`).join(', ')} ${fields.length === 1 ? 'stays as it was' : 'stay as they were'}`
  }. Its findings are below. To go on, ${AFTER_BLOCK}.`;

/** Whether findings alone, without platforms that can't be scanned, are what the policy looks for. */
function hits(report: Report, platforms: ReportImage['platforms']): boolean {
  const policy = report.configuration?.policy;
  if (policy === undefined) return true;
  const severities = SEVERITIES.slice(0, SEVERITIES.indexOf(policy.failOn) + 1);
  return platforms
    .map(standingScan)
    .some((scan) =>
      severities.some(
        (severity) => ((policy.fixableOnly ? scan?.fixable : scan?.counts)?.[severity] ?? 0) > 0,
      ),
    );
}
