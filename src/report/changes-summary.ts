import type { ChangesSummary } from '../contract/outcome.js';
import type { Changes } from './changes.js';
import { clip, visible } from './text.js';

/** It becomes part of a workflow's result, and of a few lines on a terminal. */
const MOST_LINES = 10;
const LINE_CHARACTERS = 180;

/** What changed in a few sentences, for terminals and Temporal's Web UI: ends that are no longer good first. Pure. */
export function summariseChanges({ since, appeared, gone, changed, fields }: Changes): ChangesSummary {
  const named = new Set(fields.flatMap(({ before, after }) => [before, after]));
  const unnamed = (image: string): boolean => !named.has(image); // a field's line says it already
  const endFirst = [...changed].sort((a, b) => Number(isEnd(b)) - Number(isEnd(a))); // stable
  const lines = [
    ...endFirst.map(({ image, what }) => `${image}: ${what.join('; ')}`),
    ...fields.map(
      ({ infra, field, before, after }) => `${infra} ${field}: ${before ?? 'none'} → ${after ?? 'none'}`,
    ),
    ...appeared.filter(unnamed).map((image) => `${image}: new`),
    ...gone.filter(unnamed).map((image) => `${image}: gone, no field has it any more`),
  ];
  return {
    since: since.finishedAt,
    lines: lines.slice(0, MOST_LINES).map((line) => clip(visible(line), LINE_CHARACTERS)),
    more: Math.max(0, lines.length - MOST_LINES),
  };
}

const isEnd = ({ what }: Changes['changed'][number]): boolean =>
  what.some((one) => one.startsWith('outcome '));
