import type { BuildPushConfig, GatherScanConfig, Program, TemplateStep } from '../contract/run.js';
import type { Captured } from './template-files.js';

/** What a template does, a line each, and what its programs want of a worker. */
export interface Description {
  does: { what: string; how: string }[];
  /** Names that the worker's `ALLOWED_STEP_ENV` must have. */
  stepEnv: string[];
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
const listed = (names: readonly string[], otherwise: string): string =>
  names.length === 0 ? otherwise : names.join(', ');

const commandOf = ({ command, args }: Program): string =>
  [command, ...args]
    .map((word) => (/^[\w./:=@%+,${}-]+$/.test(word) ? word : JSON.stringify(word)))
    .join(' ');

const stepLine = (step: TemplateStep) => ({
  what: step.at,
  how: `${step.name}: ${commandOf(step)} (up to ${step.timeoutSeconds} s, ${count(step.attempts, 'attempt')}; a failure ${step.onFailure === 'fail' ? 'fails the image or run' : 'is a warning'})`,
});

const envOf = (programs: readonly Program[]): string[] =>
  [...new Set(programs.flatMap(({ env }) => env))].sort();

/** What a template of gathering and scanning does. */
export function describeGatherScan(config: GatherScanConfig): Description {
  const { sources, include, exclude, extraImages, policy, scanners = [], steps = [] } = config;
  return {
    does: [
      { what: 'sources', how: listed(sources, 'none: only extraImages') },
      {
        what: 'images',
        how: `${listed(include, 'all')}${exclude.length === 0 ? '' : `, without ${exclude.join(', ')}`}, ${count(extraImages.length, 'extra image')}`,
      },
      {
        what: 'policy',
        how: `${policy.action} on ${policy.fixableOnly ? 'fixable ' : ''}${policy.failOn}, ${count(policy.exceptions.length, 'exception')}`,
      },
      {
        what: 'scanners',
        how: ['trivy', ...scanners.map((one) => `${one.name}: ${commandOf(one)}`)].join('; '),
      },
      ...steps.map(stepLine),
    ],
    stepEnv: envOf([...scanners, ...steps]),
  };
}

/** What a template of building and pushing does. @param captured has the Dockerfile's body */
export function describeBuildPush(config: BuildPushConfig, captured: Captured): Description {
  const { engine, platforms, labels, annotations, extraTags = [], buildkit, steps = [] } = config;
  const body = buildkit === undefined ? '' : (captured.get(buildkit.dockerfile.key)?.toString('utf8') ?? '');
  const lines = body.split('\n').filter((line) => line.trim() !== '').length;
  const unbuildable = { fail: 'fails its image', copy: 'is copied with labels only', skip: 'is left out' };
  return {
    does: [
      {
        what: 'engine',
        how:
          buildkit === undefined
            ? 'registry: labels only, no Docker needed'
            : `${engine}: ${lines === 0 ? 'labels only' : `a Dockerfile body of ${count(lines, 'line')}`}, ${count(buildkit.files.length, 'file')}; a platform that the engine can’t build ${unbuildable[buildkit.onUnbuildablePlatform]}`,
      },
      { what: 'platforms', how: listed(platforms, 'all that the source has') },
      {
        what: 'labels',
        how: `${count(Object.keys(labels).length, 'label')}, ${count(Object.keys(annotations).length, 'annotation')}`,
      },
      ...(extraTags.length === 0 ? [] : [{ what: 'extra tags', how: extraTags.join(', ') }]),
      ...steps.map(stepLine),
    ],
    stepEnv: envOf(steps),
  };
}
