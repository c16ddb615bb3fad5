import type { Activities } from '../contract/activities.js';
import { awaitHolder } from './await-holder.js';
import { buildImage } from './build-image.js';
import { checkAccount } from './check-account.js';
import { checkEngine } from './check-engine.js';
import { cleanEngine } from './clean-engine.js';
import type { Dependencies } from './dependencies.js';
import { discoverImages } from './discover-images.js';
import { pinDatabase } from './pin-database.js';
import { planPage } from './plan-page.js';
import { pushImage } from './push-image.js';
import { readBackAccount } from './read-back-account.js';
import { recordOutcomes } from './record-outcomes.js';
import { recordUnreached } from './record-unreached.js';
import { resolveRestore } from './resolve-restore.js';
import { resolveRun } from './resolve-run.js';
import { restoreAccount } from './restore-account.js';
import { runTemplateStep } from './run-template-step.js';
import { scanImage } from './scan-image.js';
import { snapshotAccount } from './snapshot-account.js';
import { updateAccount } from './update-account.js';
import { verifyImage } from './verify-image.js';
import { writeReport } from './write-report.js';

/** Every activity of a worker, with what it works on. */
export const createActivities = (dependencies: Dependencies): Activities => ({
  awaitHolder: awaitHolder(dependencies),
  buildImage: buildImage(dependencies),
  checkAccount: checkAccount(dependencies),
  checkEngine: checkEngine(dependencies),
  cleanEngine: cleanEngine(dependencies),
  discoverImages: discoverImages(dependencies),
  pinDatabase: pinDatabase(dependencies),
  planPage: planPage(dependencies),
  pushImage: pushImage(dependencies),
  readBackAccount: readBackAccount(dependencies),
  recordOutcomes: recordOutcomes(dependencies),
  recordUnreached: recordUnreached(dependencies),
  resolveRestore: resolveRestore(dependencies),
  resolveRun: resolveRun(dependencies),
  restoreAccount: restoreAccount(dependencies),
  runTemplateStep: runTemplateStep(dependencies),
  scanImage: scanImage(dependencies),
  snapshotAccount: snapshotAccount(dependencies),
  updateAccount: updateAccount(dependencies),
  verifyImage: verifyImage(dependencies),
  writeReport: writeReport(dependencies),
});
