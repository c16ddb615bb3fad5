/**
 * What a credential looks like. A host such as `sat.registry.example.com/ci` has four parts too, so the short Harness
 * form counts only where no path or port follows.
 */
const KEYS: readonly RegExp[] = [
  // Harness personal and service account tokens: pat.<account>.<token id>.<secret>
  /(?:^|[^\w.-])[ps]at\.[\w-]+\.[\w-]+\.[\w-]+(?![\w.-]|\/|:\d)/i,
  /[ps]at\.[\w-]{15,}\.[\w-]+\.[\w-]{8,}/i,
  /\b(?:bearer|basic)\s+[\w+/=.~-]{6,}/i,
  /\b(?:authorization|x-api-key)\s*[:=]/i,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  /\bgh[pousr]_\w{10,}|\bgithub_pat_\w{10,}|\bglpat-[\w-]{10,}|\bdckr_[po]at_[\w-]{10,}|\bxox[abprs]-[\w-]{10,}/,
  /-----BEGIN [A-Z ]*PRIVATE KEY/,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.|\beyJ[\w+/-]{60,}/, // a JSON Web Token, or an ECR password
  // user:password@host, with and without a scheme; `name:tag@sha256:…` is a reference
  /:\/\/[^\s@]*:[^\s@]*@(?!sha256:)/,
  /^[^\s/:@]+:[^\s/@]+@(?!sha256:)/,
];

/** Whether a text seems to be, or to carry, a credential. Pure: the CLI asks it before it starts anything. */
export const looksLikeKey = (text: string): boolean => KEYS.some((pattern) => pattern.test(text));
