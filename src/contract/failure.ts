/**
 * Every failure that a user can meet, by its stable name (`ApplicationFailure.type` in Temporal), and whether trying
 * again can help. The names are documented in docs/troubleshooting.md and never change their meaning.
 */
export const FAILURES = {
  // what the user asked for
  InvalidInput: { retryable: false },
  NotAllowed: { retryable: false },
  ImagesFailed: { retryable: false },
  // Harness
  HarnessUnauthorized: { retryable: false },
  HarnessForbidden: { retryable: false },
  HarnessRejected: { retryable: false },
  HarnessRateLimited: { retryable: true },
  HarnessUnavailable: { retryable: true },
  HarnessBadAnswer: { retryable: true },
  HarnessNotUpdated: { retryable: true },
  ConnectorUnusable: { retryable: false },
  PullPathMismatch: { retryable: false },
  SnapshotMissing: { retryable: false },
  // registries
  RegistryUnauthorized: { retryable: false },
  RegistryDenied: { retryable: false },
  RegistryRejected: { retryable: false },
  ImageNotFound: { retryable: false },
  ImageUnsupported: { retryable: false },
  ForeignLayersRefused: { retryable: false },
  RegistryRateLimited: { retryable: true },
  RegistryUnavailable: { retryable: true },
  RegistryBadAnswer: { retryable: true },
  TransferCorrupt: { retryable: true },
  VerificationFailed: { retryable: false },
  // scanning
  ScannerFailed: { retryable: true },
  ScannerMissing: { retryable: false },
  DatabaseTooOld: { retryable: false },
  DatabaseUnavailable: { retryable: true },
  DatabaseMismatch: { retryable: true },
  // the worker's own machine
  ToolMissing: { retryable: false },
  ServiceFailed: { retryable: true },
  DiskFull: { retryable: true },
  EvidenceUnavailable: { retryable: true },
  TemporalUnavailable: { retryable: true },
} as const;

export type FailureType = keyof typeof FAILURES;
