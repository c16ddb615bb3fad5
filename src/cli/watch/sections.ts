/** Rows of one kind: each entry has one line or more, which stay together. */
export interface Section {
  entries: readonly (readonly string[])[];
  /** Said of those that find no room. */
  more(count: number): string;
}

/**
 * As many entries as the room takes, in the order given. Each section first has an equal part; what some don't need
 * goes to the others, the earlier first.
 *
 * @param room lines, or infinity
 */
export function share(sections: readonly Section[], room: number): string[] {
  const wanted = sections.map(({ entries }) => entries.reduce((sum, lines) => sum + lines.length, 0));
  const used = wanted.filter((lines) => lines > 0).length;
  const fair = Math.max(1, Math.floor(room / Math.max(1, used)));
  const given = wanted.map((lines) => Math.min(lines, fair));
  let spare = room - given.reduce((sum, lines) => sum + lines, 0);
  for (const [n, lines] of wanted.entries()) {
    const further = Math.min(lines - (given[n] ?? 0), Math.max(0, spare));
    given[n] = (given[n] ?? 0) + further;
    spare -= further;
  }
  return sections.flatMap((section, n) => cut(section, given[n] ?? 0)).slice(0, room);
}

/** The first entries; the last line says how many are missing. */
function cut({ entries, more }: Section, room: number): string[] {
  if (entries.reduce((sum, lines) => sum + lines.length, 0) <= room) return entries.flat();
  const lines: string[] = [];
  let shown = 0;
  for (const entry of entries) {
    if (lines.length + entry.length > room - 1) break;
    lines.push(...entry);
    shown++;
  }
  return room < 1 ? [] : [...lines, more(entries.length - shown)];
}
