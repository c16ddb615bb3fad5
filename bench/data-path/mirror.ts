import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pLimit from 'p-limit';
import { Lanes } from '../../src/common/lanes.js';
import type { StepContext } from '../../src/common/step.js';
import type { PushTask } from '../../src/contract/activities.js';
import { RegistryEngine } from '../../src/engines/registry.js';
import { BlobLocations } from '../../src/mirror/blob-locations.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { pushImage } from '../../src/mirror/push.js';
import { BLOBS_AT_ONCE } from '../../src/mirror/push-blobs.js';
import { verifyImage } from '../../src/mirror/verify.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { digestOf } from '../../src/registry/digest.js';
import { Manners } from '../../src/registry/manners.js';
import { splitReference } from '../../src/registry/reference.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { FileUploadSessions } from '../../src/store/upload-sessions.js';
import { ref } from '../../test/support/images.js';
import { busySeconds } from '../compare/measured.js';

export interface MirrorOptions {
  /** `host:port` */
  source: string;
  /** `host:port[/prefix]` */
  target: string;
  /** Without a host, as {@link publishFleet} returns them. */
  images: readonly string[];
  /** Made when it is not there; the evidence goes beside it. */
  contentDir: string;
  /** Images at once. */
  concurrency: number;
  labels: Record<string, string>;
  /** Asks the target for everything again, as a run does. Default true. */
  verify?: boolean;
  /** Mirrors some of the images elsewhere first, which is not measured. */
  warm?: boolean;
}

export interface MirrorFigures {
  ms: number;
  /** All that were sent to both sides. */
  requests: number;
  /** Bodies, from the source and the target. */
  bytesIn: number;
  /** Bodies, to the target. */
  bytesOut: number;
  /** Of all cores, whoever they worked for. */
  machineCpuMs: number;
  /** User and system time of this process. */
  cpuMs: number;
  /** The largest resident set that was seen; `resourceUsage` would tell that of whoever started this process too. */
  maxRssMb: number;
}

/**
 * Mirrors images from one registry to another with the functions that the activities call (find, build, push, verify),
 * without Temporal. Give it a process of its own: CPU time and memory are the process's.
 */
export async function mirrorFleet(options: MirrorOptions): Promise<MirrorFigures> {
  let maxRss = 0;
  const watch = setInterval(() => {
    maxRss = Math.max(maxRss, process.memoryUsage.rss());
  }, 100);
  const cpuBefore = process.cpuUsage();
  const busyBefore = busySeconds();
  const began = performance.now();
  const manners = new Manners();
  await mkdir(options.contentDir, { recursive: true });
  const content = await DirectoryContentStore.open(options.contentDir);
  const sessions = await FileUploadSessions.open(options.contentDir);
  const evidenceDir = join(dirname(options.contentDir), 'evidence');
  await rm(evidenceDir, { recursive: true, force: true });
  const evidence = new FolderEvidenceStore(evidenceDir);
  const client = (): RegistryClient =>
    new RegistryClient({ credentials: anonymous, insecureHosts: [], manners, sessions });
  const [source, target] = [client(), client()];
  const fetcher = new SourceFetcher(source, content);
  const engine = new RegistryEngine(fetcher, content);
  const shared = { locations: new BlobLocations(), lanes: new Lanes(BLOBS_AT_ONCE) };
  const dependencies = { content, fetcher, engine, target, ...shared, evidence };
  const { signal } = new AbortController();
  const context: StepContext = { signal, progress: () => {} };

  const mirror = async (name: string): Promise<void> => {
    const reference = ref(`${options.source}/${name}`);
    const targetReference = ref(`${options.target}/${name}`);
    const [found] = await Promise.all([
      source.head(reference, signal),
      target.manifest(targetReference, signal),
    ]);
    if (found === undefined) throw new Error(`${reference} is not there`);
    const task = {
      runId: 'bench',
      image: name,
      source: reference,
      sourceDigest: found.digest,
      target: targetReference,
      build: {
        name: 'bench',
        templateDigest: digestOf('bench'),
        engine: 'registry' as const,
        platforms: [],
        labels: options.labels,
        annotations: {},
      },
    };
    const push: PushTask = { ...task, built: await engine.build(task, context), repair: false };
    await pushImage(push, dependencies, context);
    if (options.verify === false) return;
    await verifyImage(push, dependencies, context);
  };
  await pLimit(options.concurrency).map(options.images, mirror);
  await Promise.all([source.close(), target.close()]);
  const ms = performance.now() - began;
  const machineCpuMs = (busySeconds() - busyBefore) * 1000;
  clearInterval(watch);
  const { user, system } = process.cpuUsage(cpuBefore);
  const hosts = new Set([options.source, splitReference(ref(`${options.target}/x:1`)).host]);
  const stats = manners.stats().filter(({ host }) => hosts.has(host));
  const sum = (of: (one: (typeof stats)[number]) => number): number =>
    stats.reduce((total, one) => total + of(one), 0);
  return {
    ms,
    machineCpuMs,
    requests: sum((one) => one.requests),
    bytesIn: sum((one) => one.bytesIn),
    bytesOut: sum((one) => one.bytesOut),
    cpuMs: (user + system) / 1000,
    maxRssMb: maxRss / 2 ** 20,
  };
}
