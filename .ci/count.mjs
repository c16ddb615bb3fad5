// Prints the verdict of a CI run as its last line and exits with it:
//   count.mjs <failed steps before the tests> <exit code of the tests> <Vitest's JSON>…
// A skipped test counts as failed: a missing tool must never pass as a skip.
import { readFileSync } from 'node:fs';

const [failedSteps = '0', testsCode = '0', ...files] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${line}\n`);
let passed = 0;
let failedTests = 0;
let withoutResults = 0;

function count(suites) {
  for (const suite of suites) {
    // A file that could not even be loaded has no tests of its own.
    if (suite.status === 'failed' && suite.assertionResults.length === 0) failedTests += 1;
    for (const { status, fullName } of suite.assertionResults) {
      if (status === 'passed') passed += 1;
      else failedTests += 1;
      if (status !== 'passed' && status !== 'failed') say(`${status}: ${fullName}`);
    }
  }
}

for (const file of files) {
  try {
    count(JSON.parse(readFileSync(file, 'utf8')).testResults);
  } catch (error) {
    say(`The tests left no results: ${error.message}`);
    withoutResults += 1;
  }
}

// Something outside any test: a tool that can't be had, an unhandled error, no test at all.
const silent = testsCode !== '0' || passed === 0 || withoutResults > 0;
const outside = failedTests === 0 && silent && failedSteps === '0' ? 1 : 0;
const failed = failedTests + Number(failedSteps) + outside;
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
