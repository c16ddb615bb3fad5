import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { printResults } from '../../src/cli/doctor.js';
import type { CheckResult } from '../../src/doctor/finding.js';
import { screen } from '../cli/screen.js';

const RESULTS: CheckResult[] = [
  { check: 'Temporal', status: 'ok', found: 'localhost:7233 answers' },
  {
    check: 'vulnerability database',
    status: 'fail',
    found:
      'the database of registry.example.com/aquasec/trivy-db:2 is 80 hours old, and the policy allows 48',
    mend: 'update it, or raise maxDatabaseAge in the gather-scan template',
  },
];

it('goes on below its own beginning where the terminal has no more room', () => {
  const terminal = screen(72);
  printResults(RESULTS, terminal);
  const lines = stripVTControlCharacters(terminal.out()).split('\n');
  expect(lines.slice(0, 6)).toEqual([
    '✓ Temporal                localhost:7233 answers',
    '✗ vulnerability database  the database of',
    '                          registry.example.com/aquasec/trivy-db:2 is 80',
    '                          hours old, and the policy allows 48',
    '                          → update it, or raise maxDatabaseAge in the',
    '                            gather-scan template',
  ]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(72);
});

it('is one line each where a program reads it', () => {
  const terminal = screen();
  printResults(RESULTS, terminal);
  expect(terminal.out().split('\n').slice(0, 3)).toEqual([
    '✓ Temporal                localhost:7233 answers',
    '✗ vulnerability database  the database of registry.example.com/aquasec/trivy-db:2 is 80 hours old, and the policy allows 48',
    '                          → update it, or raise maxDatabaseAge in the gather-scan template',
  ]);
});
