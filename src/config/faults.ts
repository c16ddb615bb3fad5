import { FactoryError } from '../common/errors.js';

/** One thing that is wrong with what a workflow was started with. */
export interface Fault {
  kind: 'InvalidInput' | 'NotAllowed';
  text: string;
}

/** One error for all faults: the user mends them in one go. */
export function refusal(faults: readonly Fault[]): FactoryError {
  const type = faults.every(({ kind }) => kind === 'NotAllowed') ? 'NotAllowed' : 'InvalidInput';
  const texts = faults.map(({ text }) => text);
  const [only] = texts;
  if (texts.length === 1 && only !== undefined) return new FactoryError(type, only);
  return new FactoryError(
    type,
    `${texts.length} things are wrong: ${texts.map((text, index) => `(${index + 1}) ${text}`).join('; ')}`,
  );
}
