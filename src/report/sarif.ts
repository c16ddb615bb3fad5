import type { Severity } from '../contract/verdict.js';
import { digestOf } from '../registry/digest.js';
import type { ImageExport } from './findings.js';
import type { Report } from './schema.js';
import type { ReportFinding } from './schema-parts.js';
import { visible } from './text.js';

const LEVELS: Record<Severity, 'error' | 'warning' | 'note'> = {
  CRITICAL: 'error',
  HIGH: 'error',
  MEDIUM: 'warning',
  LOW: 'note',
  UNKNOWN: 'note',
};

function resultOf(image: ImageExport['image'], found: ReportFinding, ruleIndex: number) {
  const { id, package: name, installed, fixed, severity, platforms, foundBy, suppressed } = found;
  const where = [name, installed].filter((part) => part !== '').join(' ');
  const mend = fixed === null ? 'no fix yet' : `fixed in ${fixed}`;
  return {
    ruleId: visible(id),
    ruleIndex,
    level: LEVELS[severity],
    message: { text: visible(`${id} in ${where} of ${image.image}, ${mend}.`) },
    locations: platforms.map((platform) => ({
      logicalLocations: [
        {
          name: visible(name),
          fullyQualifiedName: visible(`${image.image}/${platform}/${name}`),
          kind: 'module',
        },
      ],
    })),
    partialFingerprints: { 'finding/v1': digestOf(JSON.stringify([image.image, id, name])) },
    properties: {
      severity,
      package: visible(name),
      installed: visible(installed),
      fixed: fixed === null ? null : visible(fixed),
      foundBy: foundBy.map(visible),
    },
    ...(suppressed === null
      ? {}
      : {
          suppressions: [
            {
              kind: 'external',
              status: 'accepted',
              justification: visible(
                `${suppressed.owner}, until ${suppressed.expires}: ${suppressed.reason}`,
              ),
            },
          ],
        }),
  };
}

/** The findings as SARIF 2.1.0: a rule a vulnerability, a result a finding, placed by image, platform and package. */
export function renderSarif(run: Report['run'], images: readonly ImageExport[], missing: number): string {
  const rules = new Map<string, { index: number; found: ReportFinding }>();
  const results = images.flatMap(({ image, findings }) =>
    findings.map((found) => {
      const index = rules.get(found.id)?.index ?? rules.size;
      if (!rules.has(found.id)) rules.set(found.id, { index, found });
      return resultOf(image, found, index);
    }),
  );
  const notification = {
    level: 'warning',
    message: { text: `${missing} more findings or scans are not listed: see report.html.` },
  };
  return `${JSON.stringify({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'Harness CI Image Factory',
            rules: [...rules].map(([id, { found }]) => ({
              id: visible(id),
              shortDescription: { text: visible(found.title || id) },
              ...(found.url === null ? {} : { helpUri: found.url }),
            })),
          },
        },
        automationDetails: { id: visible(`image-factory/${run.id}`) },
        invocations: [
          {
            executionSuccessful: run.end.kind === 'completed',
            startTimeUtc: run.startedAt,
            endTimeUtc: run.finishedAt,
            ...(missing === 0 ? {} : { toolExecutionNotifications: [notification] }),
          },
        ],
        results,
      },
    ],
  })}\n`;
}
