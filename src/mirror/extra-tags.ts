import { FactoryError } from '../common/errors.js';
import { expand, tagVariables, type VariableSource } from '../config/variables.js';
import type { Reference } from '../contract/brand.js';
import type { BuildPushConfig, DiscoveredImage } from '../contract/run.js';
import { formatReference, isTag, splitReference } from '../registry/reference.js';
import type { EvidenceStore } from '../store/evidence.js';
import { readLedger } from './ledger.js';

type Template = Pick<BuildPushConfig, 'name' | 'extraTags'>;

/** Why a template's extra tag can't be had for an image. */
const faultOf = (tag: string, template: Template, why: string): string =>
  `the extra tag ${JSON.stringify(tag.slice(0, 200))} of build-push template ${template.name} ${why}`;

const isAnother = (reference: Reference): string =>
  `is ${reference}, a copy of its own: choose another name, such as mirrored-\${source.tag}`;

/**
 * What the template's extra tags are called for this image; its own tag is not among them.
 *
 * @throws FactoryError `InvalidInput` for one that is no tag with this image's values in it
 */
export function extraTags(task: VariableSource & { target: Reference; build: Template }): Reference[] {
  const own = splitReference(task.target);
  const names = (task.build.extraTags ?? []).map((text) => expand(text, tagVariables(task)));
  return [...new Set(names)].flatMap((tag) => {
    if (!isTag(tag)) {
      const why = `is no tag for ${task.target}: letters, digits, "_", "." and "-", at most 128`;
      throw new FactoryError('InvalidInput', faultOf(tag, task.build, why));
    }
    return tag === own.tag ? [] : [formatReference({ ...own, tag, digest: null })];
  });
}

/**
 * Makes sure that an extra tag is not the tag of another copy of ours: both would take it from each other in every run. A
 * copy that is made meanwhile notes its tag just before it puts it, so this is asked just before the extra tag is put.
 *
 * @throws FactoryError `InvalidInput`
 */
export async function assertNoCopy(
  reference: Reference,
  template: Template,
  evidence: EvidenceStore,
  signal: AbortSignal,
): Promise<void> {
  if ((await readLedger(evidence, reference, signal)) === undefined) return;
  const { tag } = splitReference(reference);
  throw new FactoryError('InvalidInput', faultOf(tag ?? '', template, isAnother(reference)));
}

/** Variables whose values are not in an image's name. */
const UNKNOWN = /\$\{(?!source\.tag\})[^}]*\}/;

/**
 * Finds images whose extra tags are the tags of other images of the run, as far as that can be told from the template's
 * text and the images' names: they have this as their `problem`, before anything is made of them.
 */
export function withTakenTags(images: readonly DiscoveredImage[], template: Template): DiscoveredImage[] {
  const texts = (template.extraTags ?? []).filter((text) => !UNKNOWN.test(text.replaceAll('$${', '')));
  if (texts.length === 0) return [...images];
  const targets = new Set(images.map(({ target }) => target));
  return images.map((image) => {
    const [source] = image.candidates;
    if (image.problem !== undefined || image.target === null || source === undefined) return image;
    const own = splitReference(image.target);
    const { tag: sourceTag } = splitReference(source);
    for (const text of texts) {
      const tag = expand(text, { 'source.tag': sourceTag ?? '' });
      if (tag === own.tag || !isTag(tag)) continue;
      const reference = formatReference({ ...own, tag, digest: null });
      if (targets.has(reference)) return { ...image, problem: faultOf(tag, template, isAnother(reference)) };
    }
    return image;
  });
}
