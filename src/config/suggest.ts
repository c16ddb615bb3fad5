/** How many single-letter edits lie between two short words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Two spellings of one name differ in case and in `_` or `-`. */
const plain = (word: string): string => word.toLowerCase().replace(/[_-]/g, '');

/** The end of a sentence about an unknown name: ` (did you mean maxConcurrency?)`, or nothing when none is near. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  if (word.length > 60) return '';
  const near = candidates
    .map((candidate) => ({ candidate, edits: distance(plain(word), plain(candidate)) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.edits - b.edits)[0];
  return near === undefined ? '' : ` (did you mean ${near.candidate}?)`;
}

/** A name from outside as a message may show it: quoted, cut, without control characters. */
export const quoted = (text: string): string =>
  JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
