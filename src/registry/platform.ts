/** What an index entry or an image config says of the machine it is for (image-spec, image-index.md, `platform`). */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string | null;
  'os.version'?: string | null;
}

/** `os/arch[/variant][:os.version]`, e.g. `linux/arm64/v8`, `windows/amd64:10.0.20348.2113`. */
export function platformOf({ os, architecture, variant, 'os.version': version }: Platform): string {
  return `${os}/${architecture}${variant ? `/${variant}` : ''}${version ? `:${version}` : ''}`;
}

/** What {@link platformOf} wrote. */
export function parsePlatform(text: string): Platform {
  const [path = '', version] = text.split(':', 2);
  const [os = '', architecture = '', variant] = path.split('/');
  return {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
  };
}

/** What an absent variant means (containerd's `platforms.Normalize`). */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { arm64: 'v8', arm: 'v7' };

/**
 * Whether an image's platform is among the wanted ones; an empty list wants all. What is silent about variant or
 * os.version wants every one: `linux/arm` is v6 and v7, `windows/amd64` is every build, `…:10.0.20348` its revisions.
 */
export function platformWanted(platform: string, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((one) => covers(split(one), split(platform)));
}

type Parts = { machine: string; variant: string | undefined; version: string | undefined };

function split(platform: string): Parts {
  const [path = '', version] = platform.split(':', 2);
  const [os = '', architecture = '', variant] = path.split('/');
  return { machine: `${os}/${architecture}`, variant, version };
}

function covers(want: Parts, has: Parts): boolean {
  if (want.machine !== has.machine) return false;
  const variant = has.variant ?? DEFAULT_VARIANT[has.machine.split('/')[1] ?? ''];
  if (want.variant !== undefined && want.variant !== variant) return false;
  return want.version === undefined || `${has.version ?? ''}.`.startsWith(`${want.version}.`);
}
