import type { ExternalScanner } from '../contract/run.js';

/**
 * What decides on a scanner's findings, as far as its template says: how it is run, and its files by what is in them.
 * How long it may take does not.
 */
export const definitionOf = ({ name, command, args, env, files }: ExternalScanner) => ({
  name,
  command,
  args,
  env,
  files: files.map(({ path, evidence, executable }) => ({ path, digest: evidence.digest, executable })),
});
