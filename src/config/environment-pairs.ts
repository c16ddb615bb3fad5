type Given = Readonly<Record<string, string | undefined>>;

const WITH_A_BUCKET = [
  'S3_PREFIX',
  'S3_FORCE_PATH_STYLE',
  'S3_SERVER_SIDE_ENCRYPTION',
  'S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID',
];

/** Variables that are right each by itself and mean nothing as they stand together. */
export function pairFaults(given: Given): { names: string[]; fault: string }[] {
  const faults: { names: string[]; fault: string }[] = [];
  const passwords = ['REGISTRY_PASSWORD', 'REGISTRY_PASSWORD_FILE'];
  const login = ['REGISTRY_USER', ...passwords];
  if (passwords.every((name) => given[name]))
    faults.push({
      names: login,
      fault: 'of REGISTRY_PASSWORD and REGISTRY_PASSWORD_FILE only one must be set',
    });
  else if (passwords.some((name) => given[name]) !== Boolean(given.REGISTRY_USER))
    faults.push({
      names: login,
      fault: 'REGISTRY_USER and REGISTRY_PASSWORD must be set together (or REGISTRY_PASSWORD_FILE)',
    });
  // Whoever starts a run names its registry: the login must not go wherever that is.
  if (given.REGISTRY_USER && !given.REGISTRY && !given.ALLOWED_REGISTRIES)
    faults.push({
      names: ['REGISTRY', 'ALLOWED_REGISTRIES'],
      fault:
        'REGISTRY or ALLOWED_REGISTRIES must say where REGISTRY_USER may log in, else any run could have the password sent to a registry of its own',
    });
  // Without a bucket everything would go to a folder of this machine, and nobody would notice.
  const stray = WITH_A_BUCKET.filter((name) => given[name]);
  if (!given.S3_BUCKET && stray.length > 0)
    faults.push({ names: stray, fault: `${stray.join(' and ')} must not be set without S3_BUCKET` });
  else if (
    given.S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID &&
    !given.S3_SERVER_SIDE_ENCRYPTION?.startsWith('aws:kms')
  )
    faults.push({
      names: ['S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID'],
      fault:
        'S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID must go with S3_SERVER_SIDE_ENCRYPTION aws:kms or aws:kms:dsse',
    });
  return faults;
}
