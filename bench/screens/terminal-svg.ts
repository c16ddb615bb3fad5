/** Drawn as a dark terminal has them. */
const COLOURS: Record<string, string> = { 31: '#ff7b72', 32: '#7ee787', 33: '#e3b341', 2: '#8b949e' };
const CHARACTER = { width: 7.83, height: 18 };
const MARGIN = 16;

interface Style {
  colour: string;
  bold: boolean;
}

const PLAIN: Style = { colour: '#e6edf3', bold: false };

/**
 * Text with ANSI colours as a picture: one text element for each run of one style, placed by its column, so that no
 * font's odd width moves what follows.
 */
export function terminalSvg(output: string, columns: number): string {
  const lines = output.replaceAll('\r', '').trimEnd().split('\n');
  const [width, height] = [
    columns * CHARACTER.width + 2 * MARGIN,
    lines.length * CHARACTER.height + 2 * MARGIN,
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.ceil(width)} ${height}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="13">`,
    '<title>A run in the terminal</title>',
    '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
    ...lines.flatMap(drawLine),
    '</svg>',
    '',
  ].join('\n');
}

function drawLine(line: string, row: number): string[] {
  const drawn: string[] = [];
  let style = PLAIN;
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told about colours
  for (const part of line.split(/(\u001b\[[\d;]*m)/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
    const code = /^\u001b\[([\d;]*)m$/.exec(part)?.[1];
    if (code !== undefined) style = styleOf(code, style);
    else if (part !== '') {
      drawn.push(...drawRun(part, column, row, style));
      column += [...part].length;
    }
  }
  return drawn;
}

function drawRun(text: string, column: number, row: number, { colour, bold }: Style): string[] {
  const indent = text.length - text.trimStart().length;
  if (indent === text.length) return [];
  const x = (MARGIN + (column + indent) * CHARACTER.width).toFixed(1);
  const y = MARGIN + (row + 0.75) * CHARACTER.height;
  const words = text.trim();
  const length = ([...words].length * CHARACTER.width).toFixed(1);
  return [
    `<text x="${x}" y="${y}" fill="${colour}" textLength="${length}" xml:space="preserve"${bold ? ' font-weight="bold"' : ''}>${escaped(words)}</text>`,
  ];
}

function styleOf(code: string, before: Style): Style {
  if (code === '' || code === '0') return PLAIN;
  if (code === '1') return { ...before, bold: true };
  return { ...before, colour: COLOURS[code] ?? before.colour };
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
