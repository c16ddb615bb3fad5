import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import { RESERVED_FOLDER } from '../config/program-schema.js';
import type { ExternalScanner } from '../contract/run.js';
import type { EvidenceRef } from '../contract/verdict.js';
import type { PlatformImage } from '../mirror/fetch.js';
import type { ProgramEnd, Programs } from '../programs/programs.js';
import { digestOf, hexOf } from '../registry/digest.js';
import type { ContentStore } from '../store/content.js';
import type { EvidenceStore } from '../store/evidence.js';
import type { Finding } from './finding.js';
import { writeImageLayout } from './image-layout.js';
import { type KeptOutput, keepOutput, keptOutput } from './kept-output.js';
import { sarifFindings } from './sarif.js';
import { MAX_SARIF_BYTES } from './sarif-document.js';

export interface ExternalOptions {
  programs: Programs;
  content: ContentStore;
  evidence: EvidenceStore;
}

/** What a scanner beside Trivy said of a platform. */
export interface ExternalScan {
  scanner: string;
  evidence: EvidenceRef;
  findings: Finding[];
}

/** How much of what a scanner printed is told. */
const TOLD = 300;

/** Runs the scanners that a template names beside Trivy, and keeps the SARIF that they write. */
export class ExternalScanners {
  readonly #options: ExternalOptions;

  constructor(options: ExternalOptions) {
    this.#options = options;
  }

  /**
   * What the scanner said of the platform before, in the same run; undefined when it has to look. Its database is unknown
   * to us, so what another run found says nothing.
   */
  async recorded(
    scanner: ExternalScanner,
    image: PlatformImage,
    runId: string,
    signal: AbortSignal,
  ): Promise<ExternalScan | undefined> {
    const { evidence } = this.#options;
    const kept = await keptOutput(evidence, keyOf(scanner, image, runId), readerOf(scanner), signal);
    return kept && scanOf(scanner, kept);
  }

  /**
   * Has the scanner look at the platform.
   *
   * @param place a directory of this scan's own, on a disk with room for the image.
   * @param content what the layers are taken from: they must be there, and leased.
   * @throws FactoryError `ScannerFailed`; `NotAllowed` for a variable that this worker does not give.
   */
  async scan(
    scanner: ExternalScanner,
    { image, config }: { image: PlatformImage; config: Buffer },
    { place, runId }: { place: string; runId: string },
    context: StepContext,
  ): Promise<ExternalScan> {
    const { content, evidence } = this.#options;
    const layout = join(place, 'layout');
    let bytes: Buffer;
    try {
      await mkdir(layout, { recursive: true });
      await writeImageLayout(layout, image, config, content, context.signal);
      bytes = await this.#run(scanner, layout, image, context);
    } finally {
      // Of the next scanner too: none sees what another did to its copy.
      await rm(layout, { recursive: true, force: true });
    }
    const key = keyOf(scanner, image, runId);
    return scanOf(scanner, await keepOutput(evidence, key, bytes, readerOf(scanner), context.signal));
  }

  async #run(
    scanner: ExternalScanner,
    layout: string,
    image: PlatformImage,
    context: StepContext,
  ): Promise<Buffer> {
    const failed = (why: string, cause?: unknown): FactoryError =>
      new FactoryError(
        'ScannerFailed',
        `The scanner ${scanner.name} failed on ${image.platform}: ${why}`.replace(/\.*$/, '.'),
        { cause },
      );
    let end: ProgramEnd;
    try {
      end = await this.#options.programs.run(
        {
          program: scanner,
          variables: { layout },
          result: { path: `${RESERVED_FOLDER}/output.sarif`, maxBytes: MAX_SARIF_BYTES },
        },
        context,
      );
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof FactoryError && error.type === 'StepFailed') throw failed(error.message, error);
      throw error;
    }
    const { code, output, result } = end;
    const words = output.trim().replace(/\s+/g, ' ').slice(-TOLD);
    const said = words === '' ? 'it said nothing' : `it said: ${words}`;
    // Some end with 1 when they find something: whether it did or broke can't be told from its code then.
    if (code !== 0)
      throw failed(
        `it ended with ${code === null ? 'a signal' : `code ${code}`}, and only 0 is a scan (see docs/scanners.md); ${said}`,
      );
    if (result === undefined || result.length === 0)
      throw failed(
        `it wrote nothing to \${output}, where its SARIF is looked for: check its arguments; ${said}`,
      );
    return result;
  }
}

const readerOf =
  ({ name }: ExternalScanner) =>
  (bytes: Buffer): Finding[] =>
    sarifFindings(bytes, name);

const scanOf = ({ name }: ExternalScanner, { evidence, read }: KeptOutput<Finding[]>): ExternalScan => ({
  scanner: name,
  evidence,
  findings: read,
});

/**
 * `scans/<platform manifest>/<scanner>/<its definition>-<run>.sarif`: how it is run decides on what it finds, how long it
 * may take does not.
 */
function keyOf(scanner: ExternalScanner, image: PlatformImage, runId: string): string {
  const safe = (text: string): string => text.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 100);
  const definition = hexOf(digestOf(JSON.stringify({ ...scanner, timeoutSeconds: 0 }))).slice(0, 16);
  return `scans/${hexOf(image.manifest.descriptor.digest)}/${safe(scanner.name)}/${definition}-${safe(runId)}.sarif`;
}
