import { FactoryError } from '../common/errors.js';
import { type EvidenceSettings, openBucket } from './evidence.js';
import { log } from './log.js';

/** A worker waits no longer for the bucket before it starts: a server that is away is Temporal's to wait for. */
const CHECK_MS = 15_000;

/**
 * Looks at the bucket before the worker takes work: one that refuses would fail every run after all of its retries. A
 * server that does not answer is only warned of: it may come up after the worker, and steps wait for it.
 *
 * @throws FactoryError `EvidenceRefused`, `CertificateNotTrusted`, and as {@link openBucket}
 */
export async function checkEvidence({ s3, extraCaFile }: EvidenceSettings): Promise<void> {
  if (s3 === null) return;
  const bucket = await openBucket(s3, extraCaFile, CHECK_MS);
  try {
    await bucket.check();
  } catch (error) {
    if (!(error instanceof FactoryError) || error.type !== 'EvidenceUnavailable') throw error;
    log.warn({ error: error.message }, 'the bucket for reports gives no answer yet');
  } finally {
    await bucket.close();
  }
}
