/** A content digest as OCI writes it: `sha256:<64 hex>` (OCI image-spec, descriptor.md). */
export type Digest = string & { readonly __brand: 'Digest' };

/**
 * A full image reference in canonical form: `host[:port]/repository:tag` or `host[:port]/repository@digest`.
 * Docker Hub's host is `docker.io`; made by `parseReference` only.
 */
export type Reference = string & { readonly __brand: 'Reference' };
