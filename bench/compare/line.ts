/** A row of the table that the bench prints. */
export interface Line {
  work: string;
  /** What others need for it on this machine, in this run. */
  peers: string;
  reach: string;
  measured: string;
  met: boolean;
  /** Why, where it is not met; or how it was measured. */
  note?: string;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export function tableOf(lines: readonly Line[]): string {
  const rows = lines.map(({ work, peers, reach, measured, met, note }) =>
    [work, peers, reach, measured, met ? 'yes' : 'NO', note ?? ''].map(cell).join(' | '),
  );
  return [
    '| work | peers, here | to reach | measured | met | note |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}
