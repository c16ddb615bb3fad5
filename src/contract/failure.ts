/**
 * Every failure that a user can meet, by its stable name (`ApplicationFailure.type` in Temporal), and whether trying
 * again can help. `attempts` bounds tries where another one rarely gives another answer. The names are documented in docs/troubleshooting.md and never change their meaning.
 */
export const FAILURES = {
  // what the user asked for
  InvalidInput: { retryable: false },
  NotAllowed: { retryable: false },
  ImagesFailed: { retryable: false },
  DeadlineExceeded: { retryable: false },
  // Harness
  HarnessUnauthorized: { retryable: false },
  HarnessForbidden: { retryable: false },
  HarnessRejected: { retryable: false },
  HarnessRateLimited: { retryable: true },
  HarnessUnavailable: { retryable: true },
  HarnessBadAnswer: { retryable: true, attempts: 5 },
  HarnessNotUpdated: { retryable: true },
  ConnectorUnusable: { retryable: false },
  PullPathMismatch: { retryable: false },
  SnapshotMissing: { retryable: false },
  // registries
  RegistryUnauthorized: { retryable: false },
  RegistryDenied: { retryable: false },
  RegistryRejected: { retryable: false },
  CredentialHelperFailed: { retryable: true, attempts: 5 },
  CertificateNotTrusted: { retryable: false },
  TagImmutable: { retryable: false },
  ImageNotFound: { retryable: false },
  ImageUnsupported: { retryable: false },
  ForeignLayersRefused: { retryable: false },
  RegistryRateLimited: { retryable: true },
  RegistryUnavailable: { retryable: true },
  RegistryBadAnswer: { retryable: true },
  TransferCorrupt: { retryable: true, attempts: 5 },
  VerificationFailed: { retryable: false },
  // scanning
  ScannerFailed: { retryable: true, attempts: 3 },
  ScannerMissing: { retryable: false },
  DatabaseTooOld: { retryable: false },
  DatabaseUnavailable: { retryable: true },
  DatabaseMisconfigured: { retryable: false },
  DatabaseMismatch: { retryable: true },
  // templates
  StepFailed: { retryable: true },
  // the Docker Engine
  EngineUnavailable: { retryable: true },
  EngineUnsuitable: { retryable: false },
  EngineDiskFull: { retryable: true, attempts: 5 },
  BuildFailed: { retryable: false },
  PlatformNotBuildable: { retryable: false },
  BuiltContentLost: { retryable: false },
  // the worker's own machine
  ToolMissing: { retryable: false },
  ServiceFailed: { retryable: true },
  DiskFull: { retryable: true },
  EvidenceUnavailable: { retryable: true },
  // About four minutes: a changed right or role takes some to be known everywhere in AWS, a wrong name stays wrong.
  EvidenceRefused: { retryable: true, attempts: 10 },
  TemporalUnavailable: { retryable: true },
  SearchAttributesMissing: { retryable: false },
} as const satisfies Record<string, { retryable: boolean; attempts?: number }>;

export type FailureType = keyof typeof FAILURES;
