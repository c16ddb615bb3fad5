import type { OutcomeKind } from '../contract/outcome.js';
import type { Colour } from './terminal.js';

/** How each end of an image looks on a terminal. */
export const LOOK: Record<OutcomeKind, { mark: string; colour: Colour }> = {
  mirrored: { mark: '✓', colour: 'green' },
  rescanned: { mark: '✓', colour: 'green' },
  unchanged: { mark: '=', colour: 'dim' },
  skipped: { mark: '-', colour: 'yellow' },
  cancelled: { mark: '-', colour: 'yellow' },
  blocked: { mark: '✗', colour: 'red' },
  failed: { mark: '✗', colour: 'red' },
  unresolved: { mark: '✗', colour: 'red' },
};
