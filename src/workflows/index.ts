// The workflow types; their names are fixed (contract/names.ts).
export { imageFactory } from './image-factory.js';
export { mirrorImage } from './mirror-image.js';
export { planImages } from './plan-images.js';
export { restoreHarness } from './restore-harness.js';
export { updateHarness } from './update-harness.js';
