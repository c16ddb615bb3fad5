// Posts how a run ended to a Slack webhook. What it is told is in the file that FACTORY_EVENT names: docs/templates.md.
import { readFile } from 'node:fs/promises';

const url = process.env.SLACK_WEBHOOK_URL;
if (!url) fail('SLACK_WEBHOOK_URL is not set on this worker');

const { run, result } = JSON.parse(await readFile(process.env.FACTORY_EVENT, 'utf8'));
const counts = Object.entries(result.counts)
  .filter(([, count]) => count > 0)
  .map(([kind, count]) => `${count} ${kind}`);
const text = [
  `${result.ok ? ':white_check_mark:' : ':x:'} ${plain(result.sentence)}`,
  counts.join(', '),
  `Workflow ${plain(run.workflowId)}, run ${run.id}${result.report === null ? '' : `, report ${plain(result.report.html)}`}`,
].filter((line) => line !== '');

// Behind a proxy use curl instead: Node's fetch does not ask for one.
const answer = await fetch(url, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ text: text.join('\n') }),
  signal: AbortSignal.timeout(20_000),
}).catch((error) => fail(`Slack can't be reached: ${error.cause?.code ?? error.name}`));
if (!answer.ok) fail(`Slack answered ${answer.status}: ${(await answer.text()).slice(0, 200)}`);
console.log('Slack was told');

/** https://api.slack.com/reference/surfaces/formatting#escaping: else a name could make a link. */
function plain(words) {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function fail(why) {
  console.error(why);
  process.exit(1);
}
