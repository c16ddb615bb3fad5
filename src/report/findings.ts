import { SEVERITIES } from '../contract/verdict.js';
import type { JudgedFinding } from '../scanners/policy.js';
import { escapeText } from './markup.js';
import type { ReportImage } from './schema.js';
import type { ReportFinding } from './schema-parts.js';
import { clip, compare } from './text.js';

/** In the page and in report.json, over all images: what a browser still shows at once (the page stays under 3 MB). */
export const LISTED = 5_000;
/** Hostile texts are long, and longer when escaped: what the listed ones may take of the page's 3 MB. */
const LISTED_BYTES = 2_400_000;
/** The markup around a finding. */
const ROW_BYTES = 170;
/** In report.csv and report.sarif. */
export const EXPORTED = 50_000;

const worstFirst = (a: ReportFinding, b: ReportFinding): number =>
  Number(a.suppressed !== null) - Number(b.suppressed !== null) ||
  SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
  compare(a.id, b.id) ||
  compare(a.package, b.package) ||
  compare(a.installed, b.installed);

/** Links come from a database that others write; only the web's are followed. */
const webLink = (url: string): string | null => (/^https?:\/\/[^\s"'<>]{1,400}$/.test(url) ? url : null);

/** An image's findings with the platforms that have them, worst first, those that an exception takes out last. */
export function mergePlatforms(
  platforms: readonly { platform: string; findings: readonly JudgedFinding[] }[],
): ReportFinding[] {
  const merged = new Map<string, ReportFinding>();
  for (const { platform, findings } of platforms)
    for (const { suppressedBy, ...found } of findings) {
      const key = JSON.stringify([found.id, found.package, found.installed, found.fixed, found.severity]);
      const known = merged.get(key);
      if (known !== undefined) {
        if (!known.platforms.includes(platform)) known.platforms.push(platform);
        known.foundBy = namesOf([...known.foundBy, ...found.foundBy]);
        continue;
      }
      merged.set(key, {
        id: clip(found.id, 100),
        package: clip(found.package, 200),
        installed: clip(found.installed, 100),
        fixed: found.fixed === null ? null : clip(found.fixed, 200),
        severity: found.severity,
        title: clip(found.title, 160),
        url: webLink(found.url),
        platforms: [clip(platform, 100)],
        foundBy: namesOf(found.foundBy),
        suppressed:
          suppressedBy === undefined
            ? null
            : {
                owner: suppressedBy.owner,
                reason: clip(suppressedBy.reason, 500),
                expires: suppressedBy.expires,
              },
      });
    }
  return [...merged.values()].sort(worstFirst);
}

const namesOf = (scanners: readonly string[]): string[] =>
  [...new Set(scanners.map((name) => clip(name, 100)))].sort(compare);

/** The worst findings over all images, as many as a file may have; the images keep their order. */
function worstOf(images: readonly ReportImage[], most: number, bytes: number): Set<ReportFinding> {
  const kept = new Set<ReportFinding>();
  let left = bytes;
  const all = images.flatMap(({ findings }) => findings.list).sort(worstFirst);
  for (const finding of all.slice(0, most)) {
    const { id, package: name, installed, fixed, title, url, platforms, foundBy, suppressed } = finding;
    const texts = [id, name, installed, fixed, title, url, ...platforms, ...foundBy];
    if (suppressed !== null) texts.push(suppressed.owner, suppressed.reason);
    left -= ROW_BYTES + Buffer.byteLength(escapeText(texts.join('  ')));
    if (left < 0) break;
    kept.add(finding);
  }
  return kept;
}

function cut(images: readonly ReportImage[], kept: ReadonlySet<ReportFinding>): ReportImage[] {
  return images.map((image) => ({
    ...image,
    findings: { ...image.findings, list: image.findings.list.filter((finding) => kept.has(finding)) },
  }));
}

/** The images with as many findings as page and JSON list, and how many there are. */
export function listFindings(images: readonly ReportImage[]): {
  images: ReportImage[];
  total: number;
  listed: number;
  exported: number;
} {
  const total = images.reduce((sum, { findings }) => sum + findings.total, 0);
  const kept = worstOf(images, LISTED, LISTED_BYTES);
  return {
    images: cut(images, kept),
    total,
    listed: kept.size,
    exported: Math.min(
      EXPORTED,
      images.reduce((sum, { findings }) => sum + findings.list.length, 0),
    ),
  };
}

/** An image of the report with its findings as the exports have them: more than the report lists. */
export interface ImageExport {
  image: ReportImage;
  findings: ReportFinding[];
}

/** What report.csv and report.sarif are made of. */
export function exportFindings(
  images: readonly ReportImage[],
  all: ReadonlyMap<string, { list: ReportFinding[] }>,
): ImageExport[] {
  let left = EXPORTED;
  return images.map((image) => {
    const findings = (all.get(image.image)?.list ?? []).slice(0, left);
    left -= findings.length;
    return { image, findings };
  });
}
