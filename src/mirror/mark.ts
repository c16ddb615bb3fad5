import { collect } from '../common/streams.js';
import type { Digest, Reference } from '../contract/brand.js';
import { MARK } from '../contract/names.js';
import { isDigest } from '../registry/digest.js';
import { MAX_CONFIG_BYTES, parseConfig, parseManifest, takesAnnotations } from '../registry/manifest.js';
import { atDigest, splitReference } from '../registry/reference.js';
import type { RawManifest, Registry } from '../registry/types.js';
import type { LedgerEntry } from './ledger.js';

/** What an image in the target says it was made of. */
export interface Mark {
  sourceDigest: Digest;
  templateDigest: Digest;
}

/**
 * Reads our mark. OCI types carry it as annotations of the top manifest, which costs no further request. Docker v2 types
 * can't: what we remember of this very digest is as good; else the labels of the first platform's config tell, for one
 * or two small requests more (design, decision 4).
 *
 * @returns undefined when the image is not ours.
 */
export async function readMark(
  top: RawManifest,
  target: Reference,
  registry: Registry,
  ledger: LedgerEntry | undefined,
  signal: AbortSignal,
): Promise<Mark | undefined> {
  const parsed = parseManifest(top.bytes, target);
  if (takesAnnotations(parsed.mediaType)) return markIn(parsed.annotations);
  if (ledger?.digest === top.descriptor.digest) return ledger;
  return markIn(await labelsOf(parsed, target, registry, signal));
}

async function labelsOf(
  parsed: ReturnType<typeof parseManifest>,
  target: Reference,
  registry: Registry,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  if (parsed.kind === 'index') {
    const first = parsed.entries.find((entry) => !entry.attestation);
    const child = first && (await registry.manifest(atDigest(target, first.digest), signal));
    const image = child && parseManifest(child.bytes, target);
    return image?.kind === 'manifest' ? labelsOf(image, target, registry, signal) : {};
  }
  if (parsed.config.size > MAX_CONFIG_BYTES) return {};
  const config = await registry.blob(splitReference(target), parsed.config, signal);
  return parseConfig(await collect(config, MAX_CONFIG_BYTES), target).config.Labels;
}

function markIn(map: Readonly<Record<string, string>>): Mark | undefined {
  const sourceDigest = map[MARK.sourceDigest] ?? '';
  const templateDigest = map[MARK.templateDigest] ?? '';
  return isDigest(sourceDigest) && isDigest(templateDigest) ? { sourceDigest, templateDigest } : undefined;
}
