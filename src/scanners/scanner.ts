import type { StepContext } from '../common/step.js';
import type { ScanTask } from '../contract/activities.js';
import type { DatabasePin, Verdict } from '../contract/verdict.js';

/** Looks into every platform of an image in the content store and judges what it finds. */
export interface Scanner {
  /**
   * Makes sure that the newest database is on this worker, and says which it is.
   * @throws FactoryError `DatabaseTooOld`, `DatabaseUnavailable`, `DatabaseMisconfigured`, `ScannerMissing`
   */
  pinDatabase(maxAgeHours: number, context: StepContext): Promise<DatabasePin>;
  /**
   * Scans with exactly the pinned database. A platform whose evidence exists for (digest, database) is not scanned again.
   * @throws FactoryError `ScannerFailed`, `DatabaseMismatch`, `DatabaseUnavailable`, `DatabaseMisconfigured`
   */
  scan(task: ScanTask, context: StepContext): Promise<Verdict>;
}
