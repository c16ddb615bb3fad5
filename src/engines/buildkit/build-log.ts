import { withoutControls } from './plain-text.js';
import type { Trace, Vertex } from './trace.js';

/** Kept of a log: its beginning and its end, which say the most. */
const HEAD_CHARACTERS = 256 << 10;
const TAIL_CHARACTERS = 512 << 10;
const MAX_LINE = 2_000;
/** Of a line that does not end, so much is waited for. */
const MAX_OPEN_BYTES = 64 << 10;
/** Of a step's own output, for messages. */
const STEP_LINES = 10;

interface Step {
  number: number;
  name: string;
  told: 'new' | 'named' | 'ended';
  /** What was printed after the last line's end. */
  open: Buffer;
  last: string[];
}

/** The step that failed, as BuildKit tells it. */
export interface FailedStep {
  name: string;
  error: string;
  /** What it printed last. */
  last: string[];
}

/**
 * What a build prints, as text that a person can read: one line a line, each with its step's number, no control
 * characters, and never more than about 768 KiB, whatever a build prints.
 */
export class BuildLog {
  #head = '';
  #tail: string[] = [];
  #tailCharacters = 0;
  #dropped = 0;
  readonly #steps = new Map<string, Step>();
  #failed: { step: Step; error: string } | undefined;

  /** Begins another build of the same log. */
  begin(title: string): void {
    this.#steps.clear();
    this.#failed = undefined;
    this.line(`== ${title}`);
  }

  add(trace: Trace): void {
    for (const vertex of trace.vertexes) this.#vertex(vertex);
    for (const { vertex, bytes } of trace.logs) this.#output(this.#step(vertex), bytes);
    for (const warning of trace.warnings) this.line(`warning: ${warning}`);
  }

  /** The first step that failed in the last build. */
  failed(): FailedStep | undefined {
    if (this.#failed === undefined) return undefined;
    const { step, error } = this.#failed;
    this.#flush(step);
    return { name: step.name, error, last: step.last };
  }

  /** What all of its programs printed last. */
  lastLines(): string[] {
    for (const step of this.#steps.values()) this.#flush(step);
    return [...this.#steps.values()].flatMap(({ last }) => last);
  }

  line(raw: string): void {
    const line = withoutControls(raw).trimEnd();
    const text = `${line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)} [cut]` : line}\n`;
    if (this.#tail.length === 0 && this.#head.length + text.length <= HEAD_CHARACTERS) {
      this.#head += text;
      return;
    }
    this.#tail.push(text);
    this.#tailCharacters += text.length;
    // Rarely, since what is taken from an array's front moves all others.
    if (this.#tailCharacters < 2 * TAIL_CHARACTERS) return;
    let at = 0;
    for (; this.#tailCharacters > TAIL_CHARACTERS; at++) this.#tailCharacters -= this.#tail[at]?.length ?? 0;
    this.#tail.splice(0, at);
    this.#dropped += at;
  }

  text(): string {
    for (const step of this.#steps.values()) this.#flush(step);
    const tail = [...this.#tail];
    let dropped = this.#dropped;
    let characters = this.#tailCharacters;
    while (characters > TAIL_CHARACTERS) {
      characters -= tail.shift()?.length ?? 0;
      dropped++;
    }
    return `${this.#head}${dropped === 0 ? '' : `[${dropped} lines left out]\n`}${tail.join('')}`;
  }

  #vertex({ digest, name, cached, completed, error }: Vertex): void {
    const step = this.#step(digest);
    if (step.told === 'new' && name !== '') {
      step.name = name;
      step.told = 'named';
      this.line(`#${step.number} ${name}`);
    }
    if (step.told === 'ended' || !(completed || cached || error !== '')) return;
    this.#flush(step);
    step.told = 'ended';
    this.line(`#${step.number} ${error === '' ? (cached ? 'CACHED' : 'DONE') : `ERROR: ${error}`}`);
    // Other steps are cancelled because of it, and say so.
    if (error !== '' && !/context canceled/.test(error)) this.#failed ??= { step, error };
  }

  #step(digest: string): Step {
    const known = this.#steps.get(digest);
    if (known !== undefined) return known;
    const step: Step = {
      number: this.#steps.size + 1,
      name: '',
      told: 'new',
      open: Buffer.alloc(0),
      last: [],
    };
    this.#steps.set(digest, step);
    return step;
  }

  #output(step: Step, bytes: Buffer): void {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      // Progress bars return to the line's start again and again.
      if (bytes[at] !== 0x0a && bytes[at] !== 0x0d) continue;
      this.#printed(step, bytes.subarray(from, at));
      from = at + 1;
    }
    const rest = bytes.subarray(from);
    if (step.open.length + rest.length > MAX_OPEN_BYTES) this.#printed(step, rest);
    else step.open = Buffer.concat([step.open, rest]);
  }

  #flush(step: Step): void {
    if (step.open.length > 0) this.#printed(step, Buffer.alloc(0));
  }

  #printed(step: Step, end: Buffer): void {
    const line = Buffer.concat([step.open, end]).toString('utf8');
    step.open = Buffer.alloc(0);
    const clean = withoutControls(line).trimEnd().slice(0, MAX_LINE);
    if (clean === '') return;
    this.line(`#${step.number} ${clean}`);
    step.last.push(clean);
    if (step.last.length > STEP_LINES) step.last.shift();
  }
}
