/** The machine that tools are fetched for. */
export interface Platform {
  os: NodeJS.Platform;
  arch: NodeJS.Architecture;
}

export const thisPlatform = (): Platform => ({ os: process.platform, arch: process.arch });
