import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { Lanes } from '../common/lanes.js';
import type { StepContext } from '../common/step.js';
import type { ScanTask } from '../contract/activities.js';
import type { DatabasePin, Verdict } from '../contract/verdict.js';
import type { PlatformImage, SourceFetcher } from '../mirror/fetch.js';
import type { Programs } from '../programs/programs.js';
import { hexOf } from '../registry/digest.js';
import type { ContentStore } from '../store/content.js';
import type { EvidenceStore } from '../store/evidence.js';
import { AnalysisCache } from './analysis-cache.js';
import { serveAnalyses } from './analysis-server.js';
import { type ExternalScan, ExternalScanners } from './external-scanners.js';
import { keepOutput, keptOutput } from './kept-output.js';
import { writeLayout } from './layout.js';
import { judge, type PlatformScan } from './policy.js';
import { builtImage, type ScannedImage, sourceImage } from './scanned-image.js';
import type { Scanner } from './scanner.js';
import { type DatabaseOptions, type ReadyDatabase, TrivyDatabases } from './trivy-database.js';
import { TrivyProcess } from './trivy-process.js';
import { inspect, parseReport, type TrivyReport } from './trivy-report.js';
import { writeVerdict } from './verdict-store.js';
import { inWorkplace } from './workplace.js';

export interface TrivyOptions extends DatabaseOptions {
  /** A path, or a name on the PATH. */
  program: string;
  /** Ask nobody about what is found (`TRIVY_OFFLINE_SCAN`). */
  offlineScan: boolean;
  evidence: EvidenceStore;
  fetcher: Pick<SourceFetcher, 'image' | 'config' | 'layer' | 'manifest'>;
  content: ContentStore;
  /** Runs the scanners beside Trivy. */
  programs: Programs;
}

const LAYERS_AT_ONCE = 4;
/** Of a worker: Trivy takes a core each, and 140 MB; other scanners are taken to be alike. */
export const SCANS_AT_ONCE = Math.min(availableParallelism(), 8);

/**
 * Scans with Trivy and the scanners that a template names beside it, each platform by itself from the content store, and
 * keeps what each of them wrote as evidence.
 */
export class TrivyScanner implements Scanner {
  readonly #options: TrivyOptions;
  readonly #trivy: TrivyProcess;
  readonly #databases: TrivyDatabases;
  readonly #analyses: AnalysisCache;
  readonly #others: ExternalScanners;
  readonly #slots = new Lanes(SCANS_AT_ONCE);

  constructor(options: TrivyOptions) {
    this.#options = options;
    this.#trivy = new TrivyProcess(options.program);
    this.#databases = new TrivyDatabases(options, this.#trivy);
    this.#analyses = new AnalysisCache(join(options.content.directory, 'analyses'));
    this.#others = new ExternalScanners(options);
  }

  pinDatabase(maxAgeHours: number, context: StepContext): Promise<DatabasePin> {
    return this.#databases.pin(maxAgeHours, context);
  }

  async scan(task: ScanTask, context: StepContext): Promise<Verdict> {
    const { evidence } = this.#options;
    const { policy, policyDigest, database } = task;
    const { digest, scans } = await this.#databases.use(database, context, async (ready) => {
      const image = await this.#imageOf(task, context);
      const all = await settledAll(image.platforms, context, (platform, own) =>
        this.#scanPlatform(task, image, platform, ready, own),
      );
      return { digest: image.digest, scans: all };
    });
    const verdict: Verdict = {
      ...judge(scans, policy, new Date().toISOString().slice(0, 10)),
      policyDigest,
      // Evidence of an earlier scan counts from when that was made.
      scannedAt: scans.map(({ at }) => at).sort()[0] ?? new Date().toISOString(),
      database,
    };
    await writeVerdict(evidence, digest, task.platforms, verdict, context.signal);
    return verdict;
  }

  #imageOf(task: ScanTask, { signal }: StepContext): Promise<ScannedImage> {
    const { built } = task;
    return built === undefined
      ? sourceImage(task, this.#options.fetcher, signal)
      : builtImage({ ...task, built }, this.#options, signal);
  }

  async #scanPlatform(
    task: ScanTask,
    from: ScannedImage,
    image: PlatformImage,
    ready: ReadyDatabase,
    context: StepContext,
  ): Promise<PlatformScan & { at: string }> {
    const foreign = image.layers.some((layer) => layer.foreign);
    const key = evidenceKey(image, task.database, ready.scannerVersion);
    // Without their base layers there is nothing that a scanner could look at.
    const scanners = foreign ? [] : (task.scanners ?? []);
    const { evidence } = this.#options;
    const read = (bytes: Buffer): TrivyReport => parseReport(bytes, image.config.digest);
    const keep = (bytes: Buffer) => keepOutput(evidence, key, bytes, read, context.signal);
    // An earlier report on the same platform, with the same database and scanner, says what a new one would.
    let trivy = await keptOutput(evidence, key, read, context.signal);
    if (foreign) trivy ??= await keep(blankReport(image));
    const others = new Map<string, ExternalScan>();
    for (const scanner of scanners) {
      const known = await this.#others.recorded(scanner, image, task.runId, context.signal);
      if (known !== undefined) others.set(scanner.name, known);
    }
    if (trivy === undefined || others.size < scanners.length)
      await this.#withContent(from, image, context, async (config, place) => {
        const inTurn = <T>(work: () => Promise<T>): Promise<T> => this.#slots.join()(context.signal, work);
        trivy ??= await keep(await this.#runTrivy(image, config, place, ready, context));
        for (const scanner of scanners)
          if (!others.has(scanner.name)) {
            const where = { place, runId: task.runId };
            const scan = () => this.#others.scan(scanner, { image, config }, where, context);
            others.set(scanner.name, await inTurn(scan));
          }
      });
    if (trivy === undefined) throw new Error('a platform was scanned without Trivy');
    const inspection = inspect(trivy.read, image.platform, ready.buckets);
    // In the template's order, whoever's evidence there was.
    const ran = scanners.flatMap(({ name }) => others.get(name) ?? []);
    return {
      platform: image.platform,
      digest: image.manifest.descriptor.digest,
      evidence: trivy.evidence,
      at: trivy.read.createdAt,
      ...inspection,
      findings: [...inspection.findings, ...ran.flatMap(({ findings }) => findings)],
      ...(ran.length === 0
        ? {}
        : { others: ran.map((one) => ({ scanner: one.scanner, evidence: one.evidence })) }),
      ...(foreign ? { notScannable: 'its base layers are foreign, so they are not fetched' } : {}),
    };
  }

  /** Works while the image's layers are in the content store. */
  async #withContent(
    from: ScannedImage,
    image: PlatformImage,
    context: StepContext,
    work: (config: Buffer, place: string) => Promise<void>,
  ): Promise<void> {
    const { content } = this.#options;
    const release = content.lease([image.config, ...image.layers].map(({ digest }) => digest));
    try {
      const config = await from.config(image, context.signal);
      const limit = pLimit(LAYERS_AT_ONCE);
      await limit.map(image.layers, (layer) => from.layer(layer, context));
      await inWorkplace(content.directory, (place) => work(config, place));
    } finally {
      release();
    }
  }

  async #runTrivy(
    image: PlatformImage,
    config: Buffer,
    place: string,
    ready: ReadyDatabase,
    context: StepContext,
  ): Promise<Buffer> {
    const { content, offlineScan } = this.#options;
    try {
      const restoreIds = await writeLayout(join(place, 'run', 'image'), image, config, content);
      return restoreIds(
        await this.#withAnalyses(ready, (analyses) =>
          this.#slots.join()(context.signal, () => {
            const { cacheDir } = ready;
            return this.#trivy.scan(place, { cacheDir, analyses, offline: offlineScan, context });
          }),
        ),
      );
    } finally {
      // Its links lead to the content store: no other program finds them beside its own copy.
      await rm(join(place, 'run'), { recursive: true, force: true });
    }
  }

  async #withAnalyses<T>(ready: ReadyDatabase, use: (url: string) => Promise<T>): Promise<T> {
    // The Java database is looked up while a layer is analysed, online what it lacks is asked for: both are in the result.
    const scope = {
      trivy: ready.scannerVersion,
      java: ready.javaVersion,
      offline: this.#options.offlineScan,
    };
    const session = await this.#analyses.session(JSON.stringify(scope));
    try {
      const server = await serveAnalyses(session);
      try {
        return await use(server.url);
      } finally {
        await server.close();
      }
    } finally {
      await session.end();
    }
  }
}

/** All at once; the first that fails ends the others, and nothing is left running when this ends. */
async function settledAll<T, R>(
  items: readonly T[],
  context: StepContext,
  work: (item: T, own: StepContext) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const own: StepContext = {
    signal: AbortSignal.any([context.signal, failed.signal]),
    progress: (detail) => context.progress(detail),
  };
  const limit = pLimit(SCANS_AT_ONCE);
  const ends = await Promise.allSettled(
    items.map((item) =>
      limit(async () => {
        own.signal.throwIfAborted();
        return work(item, own);
      }).catch((error: unknown) => {
        failed.abort(error); // only the first counts, and the others end with it
        throw failed.signal.reason;
      }),
    ),
  );
  failed.signal.throwIfAborted();
  return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
}

/** `scans/<platform manifest>/<database>/<scanner version>.json`: what a report depends on. */
function evidenceKey(image: PlatformImage, pin: DatabasePin, scannerVersion: string): string {
  const short = (digest: DatabasePin['digest']): string =>
    digest === null ? 'local' : hexOf(digest).slice(0, 16);
  const safe = (text: string): string => text.replace(/[^A-Za-z0-9._-]/g, '-');
  // A database that was not fetched by digest has no better name than its time.
  const database = `${pin.digest === null ? safe(pin.updatedAt) : short(pin.digest)}-${short(pin.javaDigest)}`;
  return `scans/${hexOf(image.manifest.descriptor.digest)}/${database}/${safe(scannerVersion)}.json`;
}

/** Stands in for a report where there was nothing that could be looked at. */
const blankReport = (image: PlatformImage): Buffer =>
  Buffer.from(
    JSON.stringify({
      SchemaVersion: 2,
      CreatedAt: new Date().toISOString(),
      Metadata: { ImageID: image.config.digest },
      Results: [],
      NotScanned: 'foreign layers',
    }),
  );
