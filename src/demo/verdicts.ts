import type { OutcomeKind } from '../contract/outcome.js';
import type { FleetExpectation, FleetImage } from './fleet/fleet.js';

/** How an image of the fleet may end, by what is in it; the demo's template blocks. */
const GOOD: Record<FleetExpectation, readonly OutcomeKind[]> = {
  clean: ['mirrored', 'unchanged'],
  findings: ['mirrored', 'unchanged'],
  'not-scannable': ['mirrored', 'unchanged'],
  blocked: ['blocked'],
};

/** What ended otherwise than the fleet was made to end; empty when the factory did its job. */
export function surprises(
  fleet: readonly FleetImage[],
  ended: readonly { image: string; kind: OutcomeKind }[],
): string[] {
  const kinds = new Map(ended.map(({ image, kind }) => [image, kind]));
  return fleet.flatMap((image) => {
    const name = `${image.repository}:${image.tag}`;
    const kind = kinds.get(name);
    if (kind !== undefined && GOOD[image.expected].includes(kind)) return [];
    return [`${name} was ${kind ?? 'not there'}, expected ${GOOD[image.expected].join(' or ')}`];
  });
}
