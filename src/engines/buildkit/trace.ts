import { lastOf, textOf, wireFields } from './protobuf.js';

/** A step of a build; the same digest comes again as it goes on. */
export interface Vertex {
  digest: string;
  /** E.g. `[2/3] RUN make`. */
  name: string;
  cached: boolean;
  completed: boolean;
  error: string;
}

/** What BuildKit tells while it builds. */
export interface Trace {
  vertexes: Vertex[];
  /** What programs print, in pieces that end anywhere. */
  logs: { vertex: string; bytes: Buffer }[];
  warnings: string[];
}

/**
 * Reads a `moby.buildkit.v1.StatusResponse` (buildkit, api/services/control/control.proto: vertexes 1, logs 3,
 * warnings 4), as the daemon sends it in a build's `moby.buildkit.trace` messages.
 *
 * @throws RangeError when it is none
 */
export function readTrace(message: Buffer): Trace {
  const trace: Trace = { vertexes: [], logs: [], warnings: [] };
  for (const { number, bytes } of wireFields(message)) {
    if (number === 1) trace.vertexes.push(vertexOf(bytes));
    else if (number === 3) {
      const fields = wireFields(bytes);
      trace.logs.push({ vertex: textOf(fields, 1), bytes: lastOf(fields, 4)?.bytes ?? Buffer.alloc(0) });
    } else if (number === 4) trace.warnings.push(textOf(wireFields(bytes), 3));
  }
  return trace;
}

function vertexOf(bytes: Buffer): Vertex {
  const fields = wireFields(bytes);
  return {
    digest: textOf(fields, 1),
    name: textOf(fields, 3),
    cached: lastOf(fields, 4)?.value === 1n,
    completed: lastOf(fields, 6) !== undefined,
    error: textOf(fields, 7),
  };
}
