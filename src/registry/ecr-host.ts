/**
 * Amazon's private registries: `<account>.dkr.ecr.<region>.amazonaws.com`, with FIPS, China and dual stack
 * (docs.aws.amazon.com, ECR endpoints). Lower case, without a port.
 */
export const ECR_HOST =
  /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]{1,40})\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$/;

/** The account and region of a private ECR registry; undefined for any other host. */
export function ecrOf(host: string): { account: string; region: string } | undefined {
  const [, account, region] = ECR_HOST.exec(host.toLowerCase()) ?? [];
  return account === undefined || region === undefined ? undefined : { account, region };
}
