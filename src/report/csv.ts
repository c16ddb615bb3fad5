import type { ImageExport } from './findings.js';
import { visible } from './text.js';

const COLUMNS = [
  'image',
  'target',
  'source_digest',
  'platforms',
  'severity',
  'id',
  'package',
  'installed',
  'fixed',
  'title',
  'url',
  'found_by',
  'suppressed_by',
  'suppressed_reason',
  'suppressed_until',
];

/** RFC 4180. A spreadsheet runs what begins as a formula (OWASP, CSV injection), so such a cell begins with a quote. */
function cell(text: string | null | undefined): string {
  const line = visible(text ?? '').replace(/\s+/g, ' ');
  const safe = /^\s*[=+\-@|%＝＋－＠]/.test(line) ? `'${line}` : line;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** One row a finding, those that an exception takes out among them. */
export function renderCsv(images: readonly ImageExport[]): string {
  const rows = images.flatMap(({ image, findings }) =>
    findings.map((found) => [
      image.image,
      image.target,
      image.sourceDigest,
      found.platforms.join(' '),
      found.severity,
      found.id,
      found.package,
      found.installed,
      found.fixed,
      found.title,
      found.url,
      found.foundBy.join(' '),
      found.suppressed?.owner,
      found.suppressed?.reason,
      found.suppressed?.expires,
    ]),
  );
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}
