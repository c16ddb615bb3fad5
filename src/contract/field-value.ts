import type { Reference } from './brand.js';

/**
 * What an account's field is set to for an image that we pushed: the whole reference, or the path below our registry
 * and prefix for a connector that puts those in front itself (design, table of input fields).
 */
export function fieldValue(target: Reference, registry: string, style: 'qualified' | 'relative'): string {
  const prefix = `${registry}/`;
  return style === 'relative' && target.startsWith(prefix) ? target.slice(prefix.length) : target;
}
