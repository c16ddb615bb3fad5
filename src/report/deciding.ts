import { decidingVerdict } from '../contract/outcome.js';
import type { ReportImage } from './schema.js';

type Judged = Pick<ReportImage, 'verdict' | 'builtVerdict' | 'platforms'>;
type Platform = ReportImage['platforms'][number];

/** What stands for a platform: the scan of what runs there. */
export const standingScan = ({ scan, builtScan }: Pick<Platform, 'scan' | 'builtScan'>): Platform['scan'] =>
  builtScan ?? scan;

/** The verdict that decided on an image, and whether it is the one on what was built. */
export function decidingOf({ verdict, builtVerdict, platforms }: Judged): {
  verdict: ReportImage['verdict'];
  afterBuild: boolean;
} {
  if (builtVerdict === null) return { verdict, afterBuild: false };
  if (verdict === null) return { verdict: builtVerdict, afterBuild: true };
  const source = { ...verdict, platforms: platforms.filter(({ scan }) => scan !== null) };
  const built = { ...builtVerdict, platforms: platforms.filter(({ builtScan }) => builtScan !== null) };
  const afterBuild = decidingVerdict({ verdict: source, builtVerdict: built }) === built;
  return { verdict: afterBuild ? builtVerdict : verdict, afterBuild };
}
