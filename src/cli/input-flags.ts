import type { Command } from 'commander';
import { FactoryError } from '../common/errors.js';
import { splitList } from '../config/environment-schema.js';
import { INPUT_ALIASES } from '../contract/input.js';
import { INFRAS } from '../contract/run.js';

/** What is no number stays as it is, so that it is refused with all other faults, and not echoed. */
const count = (text: string): number | string => (/^\d{1,9}$/.test(text) ? Number(text) : text);

/** The run's input as flags: one for each field of `runInputSchema`, in kebab case. They read; the schema judges. */
export function addInputFlags(command: Command): Command {
  return command
    .option('--registry <host/prefix>', 'target registry; images go to <registry>/<source repository>:<tag>')
    .option('--registry-connector <id>', 'Harness connector of the target, e.g. account.harnessImage')
    .option('--modify-default', "set the account's images to the verified copies")
    .option('--no-modify-default', "leave the account as it is, whatever the worker's environment says")
    .option('--max-concurrency <n>', 'how many images are in work at once', count)
    .option('--harness-url <url>', "Harness's address")
    .option('--harness-api-key-secret <name>', 'where the worker finds the API key: env:NAME or file:/path')
    .option('--gather-scan-template <name>', 'template for gathering and scanning')
    .option('--build-push-template <name>', 'template for building and pushing')
    .option('--infra <list>', `any of ${INFRAS.join(',')}`, splitList)
    .option('--include <globs>', 'only these fields or image repositories (comma-separated)', splitList)
    .option('--exclude <globs>', 'not these', splitList)
    .option(
      '--platforms <list>',
      'e.g. linux/amd64,linux/arm64; all that the source has by default',
      splitList,
    )
    .option('--value-style <style>', "how a field's value is written: qualified or relative")
    .option('--no-scan', 'do not scan; the report says so')
    .option('--input <json>', 'the whole input as one JSON object; flags win over it');
}

/** Names that are the command's own and no part of the run's input. */
const OWN = new Set(['input', 'json', 'workflowId', 'detach']);

/**
 * The input that the flags describe; only what was given is in it, so that the worker's environment fills the rest.
 *
 * @param own flags of this command alone that are no part of the input
 * @throws FactoryError `InvalidInput` when `--input` is no JSON object
 */
export function inputFromFlags(command: Command, own: readonly string[] = []): Record<string, unknown> {
  const flags = command.opts<Record<string, unknown>>();
  const input = parseInput(flags.input);
  for (const [name, value] of Object.entries(flags)) {
    // `--no-scan` makes commander set `scan: true` by default; silence is no input.
    if (OWN.has(name) || own.includes(name) || command.getOptionValueSource(name) === 'default') continue;
    for (const [alias, field] of Object.entries(INPUT_ALIASES)) if (field === name) delete input[alias];
    input[name] = value;
  }
  return input;
}

function parseInput(text: unknown): Record<string, unknown> {
  if (typeof text !== 'string') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // The text itself is not quoted: it may hold what should not be on a screen.
  }
  throw new FactoryError('InvalidInput', '--input takes one JSON object');
}
