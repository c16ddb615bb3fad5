import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import { Lanes } from '../common/lanes.js';
import type { StepContext } from '../common/step.js';
import type { ScanTask } from '../contract/activities.js';
import type { Reference } from '../contract/brand.js';
import type { DatabasePin, EvidenceRef, Verdict } from '../contract/verdict.js';
import type { PlatformImage, SourceFetcher } from '../mirror/fetch.js';
import { digestOf, hexOf } from '../registry/digest.js';
import type { ContentStore } from '../store/content.js';
import type { EvidenceStore } from '../store/evidence.js';
import { isAbandoned, writerName } from '../store/writers.js';
import { AnalysisCache } from './analysis-cache.js';
import { serveAnalyses } from './analysis-server.js';
import { writeLayout } from './layout.js';
import { judge, type PlatformScan } from './policy.js';
import type { Scanner } from './scanner.js';
import { type DatabaseOptions, type ReadyDatabase, TrivyDatabases } from './trivy-database.js';
import { TrivyProcess } from './trivy-process.js';
import { inspect, parseReport, type TrivyReport } from './trivy-report.js';
import { writeVerdict } from './verdict-store.js';

export interface TrivyOptions extends DatabaseOptions {
  /** A path, or a name on the PATH. */
  program: string;
  /** Ask nobody about what is found (`TRIVY_OFFLINE_SCAN`). */
  offlineScan: boolean;
  evidence: EvidenceStore;
  fetcher: Pick<SourceFetcher, 'image' | 'config' | 'layer'>;
  content: ContentStore;
}

const LAYERS_AT_ONCE = 4;
/** Of a worker: Trivy takes a core each, and 140 MB. */
export const SCANS_AT_ONCE = Math.min(availableParallelism(), 8);

/** Scans with Trivy, each platform by itself from the content store, and keeps the raw reports as evidence. */
export class TrivyScanner implements Scanner {
  readonly #options: TrivyOptions;
  readonly #trivy: TrivyProcess;
  readonly #databases: TrivyDatabases;
  readonly #analyses: AnalysisCache;
  readonly #slots = new Lanes(SCANS_AT_ONCE);

  constructor(options: TrivyOptions) {
    this.#options = options;
    this.#trivy = new TrivyProcess(options.program);
    this.#databases = new TrivyDatabases(options, this.#trivy);
    this.#analyses = new AnalysisCache(join(options.content.directory, 'analyses'));
  }

  pinDatabase(maxAgeHours: number, context: StepContext): Promise<DatabasePin> {
    return this.#databases.pin(maxAgeHours, context);
  }

  async scan(task: ScanTask, context: StepContext): Promise<Verdict> {
    const { evidence, fetcher } = this.#options;
    const { source, sourceDigest, policy, policyDigest, database } = task;
    const scans = await this.#databases.use(database, context, async (ready) => {
      const { platforms } = await fetcher.image(source, sourceDigest, context.signal, task.platforms);
      return settledAll(platforms, context, (image, own) =>
        this.#scanPlatform(source, image, database, ready, own),
      );
    });
    const verdict: Verdict = {
      ...judge(scans, policy, new Date().toISOString().slice(0, 10)),
      policyDigest,
      // Evidence of an earlier scan counts from when that was made.
      scannedAt: scans.map(({ at }) => at).sort()[0] ?? new Date().toISOString(),
      database,
    };
    await writeVerdict(evidence, sourceDigest, task.platforms, verdict, context.signal);
    return verdict;
  }

  async #scanPlatform(
    source: Reference,
    image: PlatformImage,
    pin: DatabasePin,
    ready: ReadyDatabase,
    context: StepContext,
  ): Promise<PlatformScan & { at: string }> {
    const key = evidenceKey(image, pin, ready.scannerVersion);
    const { evidence, report } =
      (await this.#recorded(key, image, context)) ??
      (await this.#examine(source, image, key, ready, context));
    const foreign = image.layers.some((layer) => layer.foreign);
    return {
      platform: image.platform,
      digest: image.manifest.descriptor.digest,
      evidence,
      at: report.createdAt,
      ...inspect(report, image.platform, ready.buckets),
      ...(foreign ? { notScannable: 'its base layers are foreign, so they are not fetched' } : {}),
    };
  }

  /** An earlier report on the same platform, with the same database and scanner. */
  async #recorded(key: string, image: PlatformImage, context: StepContext): Promise<Recorded | undefined> {
    const bytes = await this.#options.evidence.get(key, context.signal);
    if (bytes === undefined) return undefined;
    try {
      const report = parseReport(bytes, image.config.digest);
      return { evidence: { key, digest: digestOf(bytes) }, report };
    } catch (error) {
      if (error instanceof FactoryError) return undefined; // damaged: it is made again
      throw error;
    }
  }

  async #examine(
    source: Reference,
    image: PlatformImage,
    key: string,
    ready: ReadyDatabase,
    context: StepContext,
  ): Promise<Recorded> {
    const foreign = image.layers.some((layer) => layer.foreign);
    const bytes = foreign ? blankReport(image) : await this.#runTrivy(source, image, ready, context);
    const report = parseReport(bytes, image.config.digest);
    return { evidence: await this.#options.evidence.put(key, bytes, context.signal), report };
  }

  async #runTrivy(
    source: Reference,
    image: PlatformImage,
    ready: ReadyDatabase,
    context: StepContext,
  ): Promise<Buffer> {
    const { content, fetcher, offlineScan } = this.#options;
    const place = await this.#workplace();
    const release = content.lease(image.layers.map(({ digest }) => digest));
    try {
      const config = await fetcher.config(source, image.config, context.signal);
      const limit = pLimit(LAYERS_AT_ONCE);
      await limit.map(image.layers, (layer) => fetcher.layer(source, layer, context));
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
      release();
      await rm(place, { recursive: true, force: true });
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

  /** A directory of one scan's own, beside the blobs so that they can be hard links; what dead processes left goes. */
  async #workplace(): Promise<string> {
    const parent = join(this.#options.content.directory, 'scans');
    await mkdir(parent, { recursive: true, mode: 0o700 });
    for (const name of await readdir(parent)) {
      const stats = await stat(join(parent, name)).catch(() => undefined);
      if (stats !== undefined && isAbandoned(name, stats.mtimeMs))
        await rm(join(parent, name), { recursive: true, force: true });
    }
    const place = join(parent, writerName());
    await mkdir(place, { mode: 0o700 });
    return place;
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

interface Recorded {
  evidence: EvidenceRef;
  report: TrivyReport;
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
