import { z } from 'zod';
import { variableFaults } from './variables.js';

/** Pieces that both kinds of templates are made of. */

/** A text that passes when `fault` finds nothing. */
export const checked = (fault: (text: string) => string | undefined) =>
  z.string().superRefine((text, context) => {
    const why = text === '' ? 'is empty' : fault(text);
    if (why !== undefined) context.addIssue({ code: 'custom', message: why });
  });

/** One line of text that a person wrote. */
export const words = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .regex(/^[^\r\n]*$/, 'must be one line');

/** Looks over a value also where one of its parts is wrong already, so that one look names everything. */
export const ALWAYS = { when: () => true };

/** A text with variables, each of them one of `known` or the worker's. */
export const withVariables = (known: readonly string[], maxLength = 4096) =>
  z
    .string('must be text: put the value in quotes')
    .max(maxLength, `is longer than ${maxLength} characters`)
    .superRefine((text, context) => {
      for (const message of variableFaults(text, known)) context.addIssue({ code: 'custom', message });
    });

/** The first of several that is said twice, if any is. */
export const repeated = (names: readonly string[]): string | undefined =>
  names.find((name, index) => names.indexOf(name) < index);
