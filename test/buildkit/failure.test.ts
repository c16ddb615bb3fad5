import { describe, expect, it } from 'vitest';
import { buildFailure, CannotRun } from '../../src/engines/buildkit/build-failure.js';
import { instructionsOf } from '../../src/engines/buildkit/instructions.js';

const ENGINE = 'the Docker Engine at unix:///x';

interface End {
  message?: string;
  platform?: string;
  native?: string;
  body?: string;
  /** The step that failed; none: BuildKit named none. */
  step?: { name?: string; error?: string; last?: string[] };
  last?: string[];
}

function failure({
  message = 'it failed',
  platform = 'linux/arm64/v8',
  native = 'linux/amd64',
  ...more
}: End) {
  const { name = '[2/2] RUN ./x', error = '', last = [] } = more.step ?? {};
  const log = {
    failed: () => (more.step === undefined ? undefined : { name, error, last }),
    lastLines: () => more.last ?? [],
  };
  const instructions = instructionsOf(more.body ?? 'RUN ./x');
  return buildFailure(message, { image: 'harness/x:1', instructions, platform, native, log }, ENGINE);
}

describe('a program of another machine’s kind', () => {
  const exited = 'process "/bin/sh -c ./x" did not complete successfully: exit code: 255';

  it.each([
    ['its shell', { error: exited, last: ['exec /bin/sh: exec format error'] }],
    [
      'its shell, as older engines say it',
      {
        error: 'executor failed running [/bin/sh -c ./x]: exit code: 1',
        last: ['standard_init_linux.go:228: exec user process caused: exec format error'],
      },
    ],
    [
      'its program, before it began',
      { error: 'OCI runtime create failed: exec /x: Exec format error: unknown' },
    ],
  ])('is a platform that the engine can’t run: %s', (_what, step) => {
    expect(failure({ step })).toBeInstanceOf(CannotRun);
  });

  it.each([
    ['a binary that the shell starts', ['/bin/sh: 1: ./x: Exec format error']],
    ['a script without an interpreter', ["env: './x': Exec format error"]],
    ['what a tool of the template starts', ['fork/exec /opt/tool: exec format error']],
    ['a program that was not the first to print', ['working', 'exec /opt/tool: exec format error']],
  ])('is the template’s mistake: %s', (_what, last) => {
    expect(failure({ step: { error: exited, last } })).toMatchObject({
      type: 'BuildFailed',
      message: expect.stringMatching(
        /at line 1 of the template’s dockerfile \(RUN \.\/x\): exit code: 255; it printed: .*format error/,
      ),
    });
  });

  it('is none where only the command speaks of it', () => {
    const error =
      'process "/bin/sh -c echo exec format error; false" did not complete successfully: exit code: 1';
    expect(failure({ step: { error } })).toMatchObject({ type: 'BuildFailed' });
  });

  it.each([
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64', 'linux/arm64'],
    ['linux/amd64', 'linux/amd64'],
  ])('is always the template’s mistake on a machine of that kind: %s on %s', (platform, native) => {
    const step = { error: exited, last: ['exec /bin/sh: exec format error'] };
    expect(failure({ platform, native, step })).toMatchObject({ type: 'BuildFailed' });
  });
});

describe('a connection for files that was lost', () => {
  const LOST = [
    'failed to solve: failed to read dockerfile: no active session for abc: context deadline exceeded',
    'failed to solve with frontend dockerfile.v0: rpc error: code = DeadlineExceeded desc = waiting',
    'session healthcheck failed fatally',
    'failed to solve: failed to load build context: error reading from server: EOF',
    'failed to solve: unexpected EOF',
  ];

  it.each(LOST)('is the engine’s, and tried again: %s', (message) => {
    expect(failure({ message })).toMatchObject({ type: 'EngineUnavailable', retryable: true });
    const name = '[internal] load build context';
    expect(failure({ message, step: { name, error: message } })).toMatchObject({ type: 'EngineUnavailable' });
  });

  it.each(LOST)('is the template’s where its own instruction says so: %s', (message) => {
    expect(failure({ message, step: { error: message } })).toMatchObject({ type: 'BuildFailed' });
  });

  it('is not meant by a here-document', () => {
    const message = 'failed to solve: dockerfile parse error line 1: unterminated heredoc EOF of RUN';
    expect(failure({ message })).toMatchObject({ type: 'BuildFailed' });
  });
});
