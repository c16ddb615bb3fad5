import type { Lanes } from '../common/lanes.js';
import type { AllowLists } from '../config/allow-lists.js';
import type { WorkerEnvironment } from '../config/environment.js';
import type { HolderState } from '../contract/activities.js';
import type { Reference } from '../contract/brand.js';
import type { HarnessTarget } from '../contract/run.js';
import type { BuildkitEngine } from '../engines/buildkit/engine.js';
import type { BuildEngine } from '../engines/engine.js';
import type { HarnessClient } from '../harness/client.js';
import type { BlobLocations } from '../mirror/blob-locations.js';
import type { SourceFetcher } from '../mirror/fetch.js';
import type { Programs } from '../programs/programs.js';
import type { Registry } from '../registry/types.js';
import type { RunTraffic } from '../report/traffic.js';
import type { Scanner } from '../scanners/scanner.js';
import type { ContentStore } from '../store/content.js';
import type { EvidenceStore } from '../store/evidence.js';

/** What the activities of one worker share. */
export interface Dependencies {
  environment: WorkerEnvironment;
  allowLists: AllowLists;
  evidence: EvidenceStore;
  /** Counts what the steps of a run ask of registries. */
  traffic: RunTraffic;
  content: ContentStore;
  /** Reads sources; knows Docker's own credentials only. */
  source: Registry;
  /**
   * The client for a target, which may use the login there; the same for every call with that host.
   * @throws FactoryError `NotAllowed`: where it may go is asked here, so that no step can forget to.
   */
  target(reference: Reference): Registry;
  fetcher: SourceFetcher;
  /** The one that a task asks for. */
  engine: BuildEngine;
  /** The one that needs a Docker Engine, which is not asked before it is needed. */
  buildkit: BuildkitEngine;
  scanner: Scanner;
  /** Runs what templates name. */
  programs: Programs;
  locations: BlobLocations;
  lanes: Lanes;
  /** A client for an account, after the allow-lists were asked. */
  harness(target: HarnessTarget): HarnessClient;
  /** Fires when the worker is told to stop: long steps are handed back. */
  stopping: AbortSignal;
  /** A task queue that only this worker polls; undefined where it has none. */
  ownQueue(): Promise<string | undefined>;
  /** Who holds a workflow id; waits for a holder whose parent is closed. */
  awaitHolder(workflowId: string, how: { patient: boolean; signal: AbortSignal }): Promise<HolderState>;
}
