/**
 * How a person calls this program the way they have just called it, for hints that can be pasted: through npm in a clone,
 * by its name where it is installed.
 */
export const self = (env: NodeJS.ProcessEnv = process.env): string =>
  env.npm_lifecycle_event === undefined ? 'image-factory' : 'npm run -s image-factory --';
