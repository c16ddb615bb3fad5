import type { WriteStream } from 'node:tty';
import type { ToolEvent } from '../tools.js';

const REDRAW_MS = 500;
const MARK = { working: '…', ready: '✓', failed: '✗' } as const;

/** Where the lines go: a terminal is redrawn in place, anything else gets a line when something begins or ends. */
export type Output = Pick<WriteStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;

/** `800 ms`, `12 s`, `2 m 10 s` */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
}

const line = ({ tool, state, what, elapsedMs }: ToolEvent): string =>
  `${MARK[state]} ${tool}: ${what}${elapsedMs < 1 ? '' : ` (${duration(elapsedMs)})`}`;

/** Shows what {@link ensureTools} reports; `end` must be called when it is over. */
export function toolScreen(output: Output): { report: (event: ToolEvent) => void; end: () => void } {
  return output.isTTY ? liveScreen(output) : plainScreen(output);
}

function plainScreen(output: Output) {
  return { report: (event: ToolEvent) => void output.write(`${line(event)}\n`), end: () => {} };
}

function liveScreen(output: Output) {
  const rows = new Map<string, { event: ToolEvent; at: number }>();
  let drawn = 0;
  const draw = (): void => {
    const width = (output.columns ?? 80) - 1; // a wrapped line would break the redraw
    const lines = [...rows.values()].map(({ event, at }) => {
      const running = event.state === 'working' ? event.elapsedMs + performance.now() - at : event.elapsedMs;
      return `\u001b[2K${line({ ...event, elapsedMs: running }).slice(0, width)}\n`;
    });
    output.write((drawn > 0 ? `\u001b[${drawn}A` : '') + lines.join(''));
    drawn = lines.length;
  };
  const timer = setInterval(draw, REDRAW_MS);
  return {
    report: (event: ToolEvent): void => {
      rows.set(event.tool, { event, at: performance.now() });
      draw();
    },
    end: (): void => {
      clearInterval(timer);
      if (rows.size > 0) draw();
    },
  };
}
