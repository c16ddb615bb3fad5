import type { RunConfig } from '../contract/run.js';

/**
 * The configuration goes along with activities and children, and Temporal refuses what is too large only once the run
 * is under way: measured, 187 KB of it and 40 children to start in one task leave the workflow stuck.
 */
const MAX_CONFIG = 32_000;

/** Parts that are worth shortening, the longest first. */
const PARTS_NAMED = 3;
const MIN_NAMED = 1_000;

/** Why a configuration is too large for Temporal, with what to shorten; undefined when it is not. Sizes are characters of JSON. */
export function sizeFault(config: RunConfig): string | undefined {
  const whole = sizeOf(config);
  if (whole <= MAX_CONFIG) return undefined;
  const { gatherScan, buildPush } = config;
  const gather = (part: string): string => `${part} of gather-scan template ${gatherScan.name}`;
  const build = (part: string): string => `${part} of build-push template ${buildPush.name}`;
  const parts: [name: string, value: unknown][] = [
    [gather('policy.exceptions'), gatherScan.policy.exceptions],
    [gather('include'), gatherScan.include],
    [gather('exclude'), gatherScan.exclude],
    [gather('extraImages'), gatherScan.extraImages],
    [gather('scanners'), gatherScan.scanners],
    [gather('steps'), gatherScan.steps],
    [build('labels'), buildPush.labels],
    [build('annotations'), buildPush.annotations],
    [build('platforms'), buildPush.platforms],
    [build('extraTags'), buildPush.extraTags],
    [build('buildArgs'), buildPush.buildkit?.buildArgs],
    [build('files'), buildPush.buildkit?.files],
    [build('steps'), buildPush.steps],
    ['include of the input', config.include],
    ['exclude of the input', config.exclude],
    ['SOURCE_REGISTRY', config.sourceRegistries],
  ];
  const longest = parts
    .map(([name, value]) => ({ name, size: sizeOf(value) }))
    .filter(({ size }) => size >= MIN_NAMED)
    .sort((a, b) => b.size - a.size)
    .slice(0, PARTS_NAMED)
    .map(({ name, size }) => `${name} (${grouped(size)})`);
  return (
    `the configuration of the run has ${grouped(whole)} characters as JSON and may have ${grouped(MAX_CONFIG)}, since ` +
    `Temporal carries it from step to step: shorten ${longest.join(', ')}`
  );
}

const sizeOf = (value: unknown): number => JSON.stringify(value ?? null).length;
const grouped = (count: number): string => count.toLocaleString('en-US');
