import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runProgram } from '../../src/common/process.js';
import { startTemporal } from '../../src/demo/services/temporal.js';
import { blocks, commandLines, ROOT, readDocument, withoutSection, words } from '../docs/document.js';
import { TEST_LOGIN } from '../support/registry-server.js';
import { few, openFactory } from './factory.js';
import { startWorkerProcess } from './worker-process.js';

/**
 * Tried elsewhere: what needs no account (CI runs it), the demo (demo.test.ts), schedules (schedule.test.ts), containers
 * (test/deploy) and builds (building.test.ts).
 */
const ELSEWHERE =
  /^npm (?:ci|test|run demo)$| schedule | demo (?:release|break)$|^docker compose |init-secrets/;
const BUILDING = '## Change what is inside an image';

describe('the README’s quick start, word for word', () => {
  it('works: check, worker, plan, run, look, set the account, put it back, and all by the Temporal CLI', async () => {
    const readme = withoutSection(await readDocument('README.md'), BUILDING);
    // A server of its own, since a reader uses the default ids and task queue.
    const temporal = await startTemporal({ uiPort: false });
    onTestFinished(() => temporal.stop());
    const factory = await openFactory({ images: few, htpasswd: true, withoutWorker: true });
    const { target, harness, apiKey, directory } = factory;
    const templates = join(directory, 'templates');
    await mkdir(join(templates, 'gather-scan'), { recursive: true });
    await writeFile(join(templates, 'gather-scan', 'strict.yaml'), blocks(readme, 'yaml').join(''));
    const env: Record<string, string> = {
      ...factory.env,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_TASK_QUEUE: '', // empty counts as unset
      HARNESS_URL: '', // as the README says, below
      HARNESS_API_KEY: '',
      TEMPLATE_DIR: templates,
    };
    let runId = '';
    const real = (line: string): string =>
      line
        .replaceAll('registry.example.com', target.host)
        .replaceAll('https://app.harness.io/gateway/api/graphql', harness.url)
        .replaceAll('pat.<account>.<token id>.<secret>', apiKey)
        .replaceAll('<user>', TEST_LOGIN.user)
        .replaceAll('<password>', TEST_LOGIN.password)
        .replaceAll('<run-id>', runId);
    const output = new Map<string, string>();
    const overrides: Record<string, string>[] = [];

    for (const shown of commandLines(readme)) {
      if (ELSEWHERE.test(shown)) continue;
      const line = real(shown);
      if (line.startsWith('export ')) {
        for (const word of words(line).slice(1)) {
          const at = word.indexOf('=');
          env[word.slice(0, at)] = word.slice(at + 1);
        }
        continue;
      }
      if (line === 'npm run worker') {
        await startWorkerProcess(env); // that script's own program, without npm between us and it
        continue;
      }
      const { code, stdout, stderr } = await runProgram('bash', ['-c', line], {
        env,
        cwd: fileURLToPath(ROOT),
        timeoutMs: 60_000,
      });
      expect(code, `${line}\n${stdout}\n${stderr}`).toBe(0);
      output.set(shown, stdout);
      runId = /\/runs\/([0-9a-f-]{36})\/report\.html/.exec(stdout)?.[1] ?? runId;
      overrides.push({ ...harness.state.overrides.K8 });
    }
    const undo = ['workflow', 'result', '--workflow-id', 'undo'];
    expect(await runProgram('temporal', undo, { env, timeoutMs: 60_000 })).toMatchObject({ code: 0 });

    const said = (command: string) => output.get(`npm run -s image-factory -- ${command}`);
    expect(said('plan')).toContain('Nothing was changed.');
    expect(said('run')).toContain('2 mirrored');
    expect(said('status')).toContain('completed');
    expect(said('run')).toContain(JSON.parse(said('status --json') ?? '').runId);
    expect(said('run --modify-default')).toMatch(/2 unchanged\nchanged .*nothing\naccount, K8: updated/);
    const byTemporal = [...output].filter(([command]) => command.startsWith('temporal ')).join('\n');
    expect(byTemporal).toMatch(/COMPLETED[\s\S]*"rescanned":\s*2/);
    // Set by each of the two runs that were told to, and put back after each.
    const copy = `${target.host}/ci/harness/ci-addon:1.16.92`;
    const holds = overrides.map((fields) => Object.values(fields).includes(copy));
    expect(holds.filter((held, at) => held && !holds[at - 1])).toHaveLength(2);
    expect(harness.state.overrides.K8).toEqual({});
  }, 240_000);
});
