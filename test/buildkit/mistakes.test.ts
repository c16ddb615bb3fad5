import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { context } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { imagesOn, logOf, openBuilds, pushTask, shellImage, taskOf } from './world.js';

let docker: DockerEngine;
beforeAll(async () => {
  docker = await startDockerEngine();
});
afterAll(() => docker?.stop());

const _RUNS = { body: 'RUN echo hello > /hello' };

describe('a mistake in the dockerfile', () => {
  const failing = async (body: string, files: Record<string, string> = {}) => {
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/wrong:1', await shellImage(), {
      body,
      files,
      platforms: ['linux/amd64'],
    });
    const error: unknown = await sides.engine.build(task, context()).catch((thrown: unknown) => thrown);
    return { error, sides, task };
  };

  it.each([
    [
      'a program that fails',
      '# first\nENV A=b\nRUN echo why; \\\n  exit 3\nRUN true',
      /at line 3 of the template’s dockerfile \(RUN echo why; exit 3\): .*exit code: 3; it printed: why/,
    ],
    [
      'an unknown instruction',
      'ENV A=b\n\nRUNN true',
      /at line 3 of the template’s dockerfile \(RUNN true\): .*unknown instruction/,
    ],
    [
      'a file that is not there',
      'WORKDIR /x\nCOPY nope /x',
      /at line 2 of the template’s dockerfile \(COPY nope \/x\): .*not found/,
    ],
    ['an instruction without what it needs', 'ENV', /at line 1 of the template’s dockerfile \(ENV\)/],
    ['a second base', 'FROM scratch\nCOPY a /a', /may not begin another image/],
  ])('names the line of %s, and is not tried again', async (_what, body, message) => {
    const { error } = await failing(body, { a: 'a' });
    expect(error).toMatchObject({
      type: 'BuildFailed',
      retryable: false,
      message: expect.stringMatching(message),
    });
    expect(await imagesOn(docker)).toEqual([]);
  });

  it('keeps all that was printed as evidence', async () => {
    const { error, sides, task } = await failing('RUN echo one; echo two; false');
    const [, key = ''] = /All that it printed: (\S+)$/.exec(String(error)) ?? [];
    expect(key).toMatch(new RegExp(`^runs/${task.runId}/builds/`));
    expect((await sides.evidence.get(key))?.toString()).toMatch(/#\d+ one\n#\d+ two\n/);
  });
});

describe('what a hostile dockerfile prints', () => {
  it('is cut in the middle, whatever there is of it', async () => {
    const sides = await openBuilds(docker);
    const line = 'y'.repeat(200);
    const task = await taskOf(sides, 'harness/loud:1', await shellImage(), {
      body: `RUN busybox yes ${line} | busybox head -c 40000000; echo; echo the-end > /end; echo the-end`,
      platforms: ['linux/amd64'],
    });
    const { built } = await pushTask(sides, task);
    const log = await logOf(sides, built);
    expect(log.length).toBeLessThan(1 << 20);
    expect(log).toMatch(/^harness\/loud:1/);
    expect(log).toMatch(/lines left out|output clipped/);
  });

  it('moves no cursor and turns no text around', async () => {
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/ansi:1', await shellImage(), {
      body: String.raw`RUN printf '\033[2J\033]0;owned\007red\033[31m \342\200\256txet\000 \233end\r\nnext\n'; false`,
      platforms: ['linux/amd64'],
    });
    const error: unknown = await sides.engine.build(task, context()).catch((thrown: unknown) => thrown);
    const [, key = ''] = /All that it printed: (\S+)$/.exec(String(error)) ?? [];
    const log = (await sides.evidence.get(key))?.toString() ?? '';
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none
    const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
    expect(log).toMatch(/red/);
    expect(log).toMatch(/next/);
    expect(log).not.toMatch(CONTROL);
    expect(String(error)).not.toMatch(CONTROL);
  });
});
