import { FactoryError } from '../../common/errors.js';
import type { PlatformImage } from '../../mirror/fetch.js';
import { platformWanted } from '../../registry/platform.js';
import type { Instruction } from './instructions.js';

/** Why the engine can't build a platform; undefined when it can. */
export function whyNotBuildable(
  { platform, layers }: Pick<PlatformImage, 'platform' | 'layers'>,
  runs: boolean,
  engine: readonly string[],
): string | undefined {
  if (!platform.startsWith('linux/')) return 'a Linux engine builds for Linux only';
  if (layers.some(({ foreign }) => foreign)) return 'it has layers that are not to be had from its registry';
  // Files can be copied for any machine; only RUN needs one that can run its programs.
  if (!runs || (engine.length > 0 && platformWanted(platform, engine))) return undefined;
  return `the engine runs programs of ${engine.join(', ')} only`;
}

/** Whether anything of the image is run while it is built. */
export const runsPrograms = (instructions: readonly Instruction[]): boolean =>
  instructions.some(({ keyword }) => keyword === 'RUN');

export interface Unbuildable {
  platform: string;
  why: string;
}

/** What a user can do about it. */
export function notBuildable(image: string, platforms: readonly Unbuildable[]): FactoryError {
  const list = platforms.map(({ platform, why }) => `${platform} (${why})`).join(', ');
  return new FactoryError(
    'PlatformNotBuildable',
    `${image} can't be built for ${list}: set onUnbuildablePlatform in the template to copy (only labelled) or skip (left out), choose platforms, or give the engine emulation (binfmt)`,
  );
}
