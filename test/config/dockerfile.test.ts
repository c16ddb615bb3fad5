import { describe, expect, it } from 'vitest';
import { dockerfileFaults } from '../../src/config/dockerfile.js';

const faults = (...lines: string[]): string[] =>
  dockerfileFaults(lines.join('\n')).map(({ line, message }) => `${line}: ${message}`);

describe('the body of a Dockerfile', () => {
  it('may be what a Dockerfile says after FROM', () => {
    expect(
      faults(
        '# a comment, and # syntax= in the middle of one',
        'ARG VERSION=1',
        'ENV FROM=x',
        'COPY --chown=0:0 ["a file", "/etc/"]',
        'COPY from.txt /from',
        'ADD local.tar.gz /opt/',
        'RUN --mount=type=cache,target=/root/.cache true \\',
        '    # a comment in between',
        '    && echo FROM scratch \\',
        '',
        '    && true',
        'from-here.sh',
      ),
    ).toEqual([]);
  });

  it('has texts of its own in heredocs, whatever they look like', () => {
    expect(
      faults(
        'RUN <<EOF sh',
        'FROM alpine',
        'COPY --from=x a b',
        'EOF',
        'COPY <<-"A" <<B /x',
        '\tFROM',
        '\tA',
        'FROM',
        'B',
        'FROM y',
      ),
    ).toEqual([expect.stringMatching(/^10: has a FROM of its own/)]);
  });

  it('brings in no other image, in whatever way it is written', () => {
    expect(
      faults(
        'FROM alpine:3',
        '  from alpine',
        'FR\\',
        'OM alpine',
        'COPY --chown=1 --from=alpine /a /b',
        'ADD --from=alpine /a /b',
        'RUN --mount=type=bind,from=alpine,target=/x true',
        'RUN --network=none --mount=from=alpine true',
        'RUN --mou\\',
        'nt="type=bind","FROM=alpine" true',
      ).map((fault) => fault.slice(0, 24)),
    ).toEqual([
      '1: has a FROM of its own',
      '2: has a FROM of its own',
      '3: has a FROM of its own',
      '5: has COPY --from, and ',
      '6: has ADD --from, and w',
      '7: has RUN --mount with ',
      '8: has RUN --mount with ',
      '9: has RUN --mount with ',
    ]);
  });

  it.each([
    'ADD https://example.com/x.tar /x',
    'ADD --chown=0:0 HTTP://example.com/x /x',
    'ADD ["https://example.com/a b", "/x"]',
    'ADD a b git@github.com:x/y.git /x',
    'ADD git://example.com/x.git /x',
  ])('has the engine fetch nothing by itself: %s', (line) => {
    expect(faults(line)).toEqual([
      expect.stringMatching(/^1: has an ADD of a URL, which the engine fetches by itself/),
    ]);
  });

  it('has no parser directive where a person would put one', () => {
    expect(faults('', '# syntax=docker/dockerfile:1', '#escape=`', 'RUN true', '# check=skip=all')).toEqual([
      expect.stringMatching(/^2: has the directive # syntax=/),
      expect.stringMatching(/^3: has the directive # escape=/),
    ]);
  });

  it.each([[''], ['\n\n'], ['# only a comment\n']])('is not empty: %j', (body) => {
    expect(faults(body)).toEqual(['1: is empty: leave it out, or say what to RUN, COPY, ENV, …']);
  });
});

describe('the user of the source', () => {
  it.each([
    ['USER root\nENV A=1\nUSER $BASE_USER', [3]],
    ['USER ${BASE_USER}\nARG BASE_USER', [1]],
    ['USER root\nARG BASE_USER\nUSER $BASE_USER', []],
    ['ARG BASE_USER=nobody\nUSER ${BASE_USER}', []],
  ])('is asked for before it is gone back to: %j', (body, lines) => {
    const faults = dockerfileFaults(body).filter(({ message }) => message.includes('ARG BASE_USER'));
    expect(faults.map(({ line }) => line)).toEqual(lines);
  });
});
