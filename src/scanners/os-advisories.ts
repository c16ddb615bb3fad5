/** An operating system as the scanner recognised it. */
export interface OperatingSystem {
  family: string;
  /** Its version, e.g. `12.12`. */
  version: string;
}

const major = (version: string): string => version.split('.', 1)[0] ?? '';
const minor = (version: string): string => version.split('.').slice(0, 2).join('.');
const whole = (version: string): string => version;
const amazon = (version: string): string => {
  const release = major(version.split(' ', 1)[0] ?? '');
  return ['2', '2022', '2023'].includes(release) ? release : '1';
};

/**
 * The bucket of trivy-db that holds a family's advisories (trivy-db `pkg/vulnsrc/bucket`), and how much of the version
 * is in its name (trivy `pkg/detector/ospkg/<family>`).
 */
const BUCKETS: Readonly<Record<string, [name: string, version: ((version: string) => string) | null]>> = {
  alma: ['alma', major],
  alpine: ['alpine', minor],
  amazon: ['amazon linux', amazon],
  azurelinux: ['Azure Linux', minor],
  bottlerocket: ['bottlerocket', null],
  'cbl-mariner': ['CBL-Mariner', minor],
  centos: ['Red Hat', null],
  chainguard: ['chainguard', null],
  debian: ['debian', major],
  echo: ['echo', null],
  minimos: ['minimos', null],
  'opensuse-leap': ['openSUSE Leap', whole],
  'opensuse-tumbleweed': ['openSUSE Tumbleweed', null],
  oracle: ['Oracle Linux', major],
  photon: ['Photon OS', whole],
  redhat: ['Red Hat', null],
  rocky: ['rocky', major],
  slem: ['SUSE Linux Enterprise Micro', whole],
  sles: ['SUSE Linux Enterprise', whole],
  ubuntu: ['ubuntu', whole],
  wolfi: ['wolfi', null],
};

/**
 * Whether a database has advisories for an operating system. Trivy does not say: Debian 99 is scanned with exit code 0
 * and no finding, just as a clean image is (measured with 0.76.0). A family that is not in our table counts as unknown.
 *
 * @param buckets the names of the database's top-level buckets.
 */
export function hasAdvisories({ family, version }: OperatingSystem, buckets: ReadonlySet<string>): boolean {
  const bucket = Object.hasOwn(BUCKETS, family) ? BUCKETS[family] : undefined;
  if (bucket === undefined) return false;
  const [name, release] = bucket;
  return buckets.has(release === null ? name : `${name} ${release(version)}`);
}
