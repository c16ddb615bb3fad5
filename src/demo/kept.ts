import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { request } from 'undici';
import { z } from 'zod';
import { FactoryError, messageOf } from '../common/errors.js';
import { cacheDirectory, type Environment } from './tools/environment.js';

/** What can be done to a demo that is kept, from another terminal. */
export const KEPT_ACTIONS = ['release', 'break'] as const;
export type KeptAction = (typeof KEPT_ACTIONS)[number];

/** Where a kept demo says how it is reached. The token keeps other users of the machine out: only we can read the file. */
const entrySchema = z.object({ address: z.string(), token: z.string() });
const answerSchema = z.object({ ok: z.boolean(), lines: z.array(z.string()) });

const fileOf = (env: Environment): string => join(cacheDirectory(env), 'demo.json');

const isAction = (text: string): text is KeptAction => KEPT_ACTIONS.some((action) => action === text);

/**
 * Makes the actions reachable for this user's other terminals, one at a time, until `stop`. Of two demos that are kept
 * the later one is reached.
 */
export async function offerActions(
  actions: Record<KeptAction, () => Promise<string[]>>,
  env: Environment = process.env,
): Promise<{ stop(): Promise<void> }> {
  const token = randomUUID();
  let last: Promise<unknown> = Promise.resolve();
  const perform = (action: KeptAction): Promise<z.infer<typeof answerSchema>> => {
    const mine = last.then(actions[action]).then(
      (lines) => ({ ok: true, lines }),
      (error: unknown) => ({ ok: false, lines: [messageOf(error)] }),
    );
    last = mine;
    return mine;
  };
  const server = createServer((incoming, response) => {
    const action = incoming.url?.slice(1) ?? '';
    const known = incoming.headers.authorization === `Bearer ${token}`;
    if (!known || incoming.method !== 'POST' || !isAction(action)) {
      response.writeHead(known ? 404 : 401).end();
      return;
    }
    void perform(action).then((answer) => response.end(JSON.stringify(answer)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port could be taken');
  const file = fileOf(env);
  const content = JSON.stringify({ address: `127.0.0.1:${address.port}`, token });
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${token}`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, file);
  return {
    stop: async () => {
      if ((await readFile(file, 'utf8').catch(() => '')) === content) await rm(file, { force: true });
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const NONE =
  'no demo is kept running: start one with "npm run demo -- --keep" and leave it open in another terminal';

/**
 * Asks this user's kept demo to do something.
 *
 * @returns what it says, for people
 * @throws FactoryError `ServiceFailed` when none runs, or it could not do it
 */
export async function askKeptDemo(action: KeptAction, env: Environment = process.env): Promise<string[]> {
  const text = await readFile(fileOf(env), 'utf8').catch(() => '{}');
  const entry = entrySchema.safeParse(parsed(text));
  if (!entry.success) throw new FactoryError('ServiceFailed', NONE);
  const { address, token } = entry.data;
  const answer = await request(`http://${address}/${action}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
  }).catch(() => undefined);
  // Killed demos leave their file; whoever has the port by now knows no such token.
  if (answer?.statusCode !== 200) {
    await answer?.body.dump();
    throw new FactoryError('ServiceFailed', NONE);
  }
  const { ok, lines } = answerSchema.parse(await answer.body.json());
  if (!ok) throw new FactoryError('ServiceFailed', lines.join('\n'));
  return lines;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
