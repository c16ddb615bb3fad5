/** Where evidence lies in S3. Credentials are not here: AWS's SDK finds them by its own chain. */
export interface S3Settings {
  bucket: string;
  /** Segments joined by `/`, none at either end; empty for the bucket's root. */
  prefix: string;
  /** Null: what the SDK finds (a profile), or `us-east-1` at an endpoint that is not AWS's. */
  region: string | null;
  /** `http(s)://host[:port]` of a server that is not AWS's, or of a private endpoint. */
  endpoint: string | null;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  pathStyle: boolean;
  /** Null: what the bucket does by default. */
  encryption: { algorithm: S3Encryption; kmsKeyId: string | null } | null;
}

export const S3_ENCRYPTIONS = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const;
export type S3Encryption = (typeof S3_ENCRYPTIONS)[number];
