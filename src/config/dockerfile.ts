import { type Instruction, instructionsOf } from '../engines/buildkit/instructions.js';

/** One fault in a Dockerfile's body, and on which of its lines, from 1. */
export interface BodyFault {
  line: number;
  message: string;
}

export const MAX_DOCKERFILE = 64 * 1024;

const DIRECTIVE = /^#\s*(syntax|escape|check)\s*=/i;
const REMOTE = /^(?:https?|ftp|git|ssh):\/\/|^git@/i;

/** The flags and the words of an instruction; of a list as JSON, its texts. */
function partsOf(rest: string): { flags: string[]; words: string[] } {
  const flags: string[] = [];
  let left = rest;
  for (let flag = /^--\S+\s*/.exec(left); flag !== null; flag = /^--\S+\s*/.exec(left)) {
    flags.push(flag[0].trim());
    left = left.slice(flag[0].length);
  }
  return {
    flags,
    words: left
      .replace(/^\[|\]$/g, '')
      .split(/[\s,]+/)
      .map((word) => word.replace(/^["']|["']$/g, '')),
  };
}

function faultOf({ keyword: name, rest }: Instruction): string | undefined {
  const { flags, words } = partsOf(rest);
  switch (name) {
    case 'FROM':
      return 'has a FROM of its own: the factory puts FROM with the source by digest in front, and there is no second stage';
    case 'ONBUILD':
      return 'has ONBUILD, which says something of images that are built on this one: Harness runs it as it is';
    case 'COPY':
    case 'ADD':
      if (flags.some((flag) => /^--from/i.test(flag)))
        return `has ${name} --from, and what that names is not pinned: put the file into the template’s files`;
      if (name === 'ADD' && words.some((word) => REMOTE.test(word)))
        return 'has an ADD of a URL, which the engine fetches by itself, past the template’s network: put the file into the template’s files, or fetch it in a RUN that checks its hash';
      return undefined;
    case 'RUN':
      if (flags.some((flag) => flag.startsWith('--mount') && /\bfrom=/i.test(flag)))
        return 'has RUN --mount with from=, and what that names is not pinned: put the file into the template’s files';
      if (flags.some((flag) => flag.startsWith('--security')))
        return 'has RUN --security, which no worker’s engine grants';
      if (flags.some((flag) => flag.startsWith('--network')))
        return 'has RUN --network: say it for all of them in the template’s network';
      return undefined;
    default:
      return undefined;
  }
}

/**
 * What can't be in the body that follows `FROM`: another image (it would not be pinned by digest, and the engine would
 * ask a registry for it), a parser directive (only the first lines of a file can have one), or nothing at all. Whether
 * the rest is a Dockerfile says the engine.
 */
export function dockerfileFaults(body: string): BodyFault[] {
  if (body.length > MAX_DOCKERFILE)
    return [{ line: 1, message: `is longer than ${MAX_DOCKERFILE} characters` }];
  const faults: BodyFault[] = [];
  for (const [index, line] of body.split(/\r?\n/).entries()) {
    if (line.trim() !== '' && !line.trimStart().startsWith('#')) break;
    const directive = DIRECTIVE.exec(line.trim())?.[1];
    if (directive !== undefined)
      faults.push({
        line: index + 1,
        message: `has the directive # ${directive.toLowerCase()}=, which only counts on a Dockerfile’s first lines: FROM stands there`,
      });
  }
  const instructions = instructionsOf(body);
  if (instructions.length === 0)
    faults.push({ line: 1, message: 'is empty: leave it out, or say what to RUN, COPY, ENV, …' });
  for (const instruction of instructions) {
    const message = faultOf(instruction);
    if (message !== undefined) faults.push({ line: instruction.line, message });
  }
  return [...faults, ...baseUserFaults(instructions)];
}

/** An argument that was not asked for is empty, and an image whose user is empty runs as root. */
function baseUserFaults(instructions: readonly Instruction[]): BodyFault[] {
  const asked = instructions.findIndex(
    ({ keyword, rest }) => keyword === 'ARG' && /(?:^|\s)BASE_USER(?:=|\s|$)/.test(rest),
  );
  return instructions.flatMap(({ keyword, rest, line }, at) =>
    keyword === 'USER' && /\$\{?BASE_USER\b/.test(rest) && (asked < 0 || asked > at)
      ? [
          {
            line,
            message:
              'has USER $BASE_USER without ARG BASE_USER above it: the user would be empty, which is root',
          },
        ]
      : [],
  );
}
