import { FactoryError, messageOf } from '../common/errors.js';

/** What one check found, in one line each; a fault says how to mend it. */
export type Finding =
  | { status: 'ok'; found: string }
  | { status: 'warn' | 'fail'; found: string; mend: string };

/** A finding with its check's name: what `doctor --json` prints. */
export type CheckResult = { check: string } & Finding;

export const ok = (found: string): Finding => ({ status: 'ok', found });
export const warn = (found: string, mend: string): Finding => ({ status: 'warn', found, mend });
export const fail = (found: string, mend: string): Finding => ({ status: 'fail', found, mend });

/** What can't be judged because of another fault, which has a line of its own. */
export const notChecked = (what: string): Finding =>
  warn(`not checked: ${what}`, 'mend that, then run doctor again');

/** How the messages of {@link FactoryError} go over from what happened to what to do. */
const ADVICE =
  /^(.+?)[:;,] (?:and )?((?:add|allow|ask|check|choose|create|exclude|give|install|leave|log|look|mend|name|point|put|remove|restore|see|set|unset|update|use|wait|write)\b.+)$/s;

/** The finding for what a check threw. @param mend what to do when the message itself does not say. */
export function failure(error: unknown, mend: string): Finding {
  const message = messageOf(error);
  const [, found, advice] = (error instanceof FactoryError && ADVICE.exec(message)) || [];
  return fail(oneLine(found ?? message), oneLine(advice ?? mend));
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').replace(/\.$/, '');
