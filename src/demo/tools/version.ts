/** The numbers of a dotted version, most significant first. */
const numbersOf = (version: string): number[] => version.split('.').map(Number);

/** Whether a dotted version (`1.29.1`) is at least another (`1.29`). */
export function atLeast(version: string, minimum: string): boolean {
  const have = numbersOf(version);
  for (const [index, wanted] of numbersOf(minimum).entries()) {
    const part = have[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
