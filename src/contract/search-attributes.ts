import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** The image that a `mirrorImage` workflow is about, as Harness names it. */
export const FACTORY_IMAGE = defineSearchAttributeKey('FactoryImage', SearchAttributeType.KEYWORD);

/** How a run (`success`, `failed`, …) or an image (an outcome's kind) ended. */
export const FACTORY_OUTCOME = defineSearchAttributeKey('FactoryOutcome', SearchAttributeType.KEYWORD);

/**
 * What the namespace must know before a workflow of ours starts: with an unregistered attribute its first task fails for
 * ever while it shows as Running (measured; design).
 */
export const SEARCH_ATTRIBUTES = [FACTORY_IMAGE, FACTORY_OUTCOME] as const;
