import { badAnswer, failureOf, pageInstead, parseJson } from './errors.js';
import { envelopeSchema } from './schemas.js';
import { htmlTitle } from './text.js';
import { contextOf, type Endpoint, exchange, type HarnessCall } from './transport.js';

/**
 * One call, no second try: retries in time are the caller's.
 *
 * @returns `data` of the answer's envelope, still to be checked.
 * @throws FactoryError of a `Harness…` type; the signal's reason when it is aborted.
 */
export async function callHarness(endpoint: Endpoint, call: HarnessCall): Promise<unknown> {
  const context = contextOf(endpoint, call);
  const answer = await exchange(endpoint, call);
  if (answer.status < 200 || answer.status > 299) throw failureOf(answer, context);
  const title = htmlTitle(answer.text, context.secret);
  if (title !== undefined) throw pageInstead(answer.status, title, context);
  const envelope = envelopeSchema.safeParse(parseJson(answer.text));
  if (!envelope.success) throw badAnswer(context, 'what came is not whole JSON of the documented shape');
  const { status, data } = envelope.data;
  // A refusal in an envelope under HTTP 200 is still one.
  if (status !== undefined && status !== 'SUCCESS') throw failureOf({ ...answer, status: 400 }, context);
  return data;
}
