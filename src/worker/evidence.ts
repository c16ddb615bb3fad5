import { readAuthorities, trusting } from '../common/certificates.js';
import type { WorkerEnvironment } from '../config/environment.js';
import type { EvidenceStore } from '../store/evidence.js';
import { FolderEvidenceStore } from '../store/evidence-folder.js';
import type { S3EvidenceStore } from '../store/evidence-s3.js';
import type { S3Settings } from '../store/s3-settings.js';

export type EvidenceSettings = Pick<WorkerEnvironment, 's3' | 'reportDir' | 'extraCaFile'>;

/** @throws FactoryError `InvalidInput` when `EXTRA_CA_FILE` or a proxy can't be used */
export async function openEvidence(
  environment: EvidenceSettings,
): Promise<{ evidence: EvidenceStore; close: () => Promise<void> }> {
  if (environment.s3 === null)
    return { evidence: new FolderEvidenceStore(environment.reportDir), close: async () => {} };
  const bucket = await openBucket(environment.s3, environment.extraCaFile);
  return { evidence: bucket, close: () => bucket.close() };
}

/** A bucket as this machine reaches it. */
export async function openBucket(
  settings: S3Settings,
  extraCaFile: string | null,
  withinMs?: number,
): Promise<S3EvidenceStore> {
  const { ca } = await trusting(await readAuthorities(extraCaFile));
  // AWS's SDK costs 120 ms and 26 MB (measured), which those with a folder need not pay.
  const { S3EvidenceStore } = await import('../store/evidence-s3.js');
  return new S3EvidenceStore(settings, { ca, ...(withinMs === undefined ? {} : { withinMs }) });
}
