import { FactoryError } from '../../common/errors.js';
import type { BuildkitConfig } from '../../contract/run.js';
import type { EvidenceRef } from '../../contract/verdict.js';
import { digestOf } from '../../registry/digest.js';
import type { EvidenceStore } from '../../store/evidence.js';
import type { ContextFile } from './file-sync.js';
import { type Instruction, instructionsOf } from './instructions.js';

/** What a template builds, read from the evidence store once for all platforms of an image. */
export interface Recipe {
  /** Of what follows `FROM`. */
  instructions: Instruction[];
  /** Of the build's context. */
  files: ContextFile[];
  /** The whole text, with {@link HEADER_LINES} of ours before the body. */
  dockerfile: Buffer;
  buildArgs: Record<string, string>;
  network: BuildkitConfig['network'];
}

/** The base's name on the engine is new for each build: as an argument it leaves the Dockerfile, and so the cache, as it was. */
export const BASE_ARGUMENT = 'IMAGE_FACTORY_BASE';
/** The user that the source runs as: a template that has to be root meanwhile goes back to it by `ARG` and `USER`. */
export const USER_ARGUMENT = 'BASE_USER';
const HEADER = `ARG ${BASE_ARGUMENT}\nFROM $${BASE_ARGUMENT}\n`;
/** Lines of the Dockerfile before those of the template's body. */
export const HEADER_LINES = 2;

/** @throws FactoryError `EvidenceUnavailable` when a part is not there, or not as it was when the run was resolved */
export async function readRecipe(
  { dockerfile, files, buildArgs, network }: BuildkitConfig,
  evidence: EvidenceStore,
  signal: AbortSignal,
): Promise<Recipe> {
  const bytes = await bytesOf(dockerfile, evidence, signal);
  const context: ContextFile[] = [];
  for (const { path, evidence: reference, executable } of files) {
    const content = await bytesOf(reference, evidence, signal);
    context.push({ path, size: content.length, executable, content });
  }
  return {
    instructions: instructionsOf(bytes.toString('utf8')),
    files: context,
    dockerfile: Buffer.concat([Buffer.from(HEADER), bytes]),
    buildArgs,
    network,
  };
}

async function bytesOf(
  { key, digest }: EvidenceRef,
  evidence: EvidenceStore,
  signal: AbortSignal,
): Promise<Buffer> {
  const bytes = await evidence.get(key, signal);
  if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
  throw new FactoryError(
    'EvidenceUnavailable',
    `${key} is ${bytes === undefined ? 'missing' : 'not as it was written'} in the evidence store: all workers must share one, and nothing may change it`,
  );
}
