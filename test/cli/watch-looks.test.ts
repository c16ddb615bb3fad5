import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { imageLook } from '../../src/cli/watch/looks.js';

type Description = Parameters<typeof imageLook>[2];
type Pending = NonNullable<Description['raw']['pendingActivities']>[number];

const look = (...pending: Partial<Pending>[]) =>
  imageLook('a:1', 'mirror-image/a', {
    // The server fills in the rest, which no row is made of.
    raw: { pendingActivities: pending as Pending[] },
  });

const saying = (details: unknown): Partial<Pending> => ({
  activityType: { name: 'pushImage' },
  attempt: 1,
  heartbeatDetails: { payloads: [defaultPayloadConverter.toPayload(details) ?? {}] },
});

describe('a look at an image', () => {
  it('reads the step and how far it is out of the pending activity', () => {
    const said = { phase: 'push', bytes: 5, total: 10 };
    expect(look(saying(said))).toMatchObject({ step: 'push', said, retries: [] });
  });

  it('does without what it does not understand', () => {
    expect(look()).toMatchObject({ step: null, said: null });
    expect(look({ activityType: { name: 'awaitHolder' } })).toMatchObject({ step: null, said: null });
    for (const odd of [
      null,
      'text',
      {},
      { phase: 3 },
      { phase: 'push', bytes: 'many' },
      { phase: 'x', bytes: -1 },
    ]) {
      expect(look(saying(odd))).toMatchObject({ step: 'push', said: null });
    }
    const encrypted = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('?') };
    const activity = { ...saying({}), heartbeatDetails: { payloads: [encrypted] } };
    expect(look(activity)).toMatchObject({ step: 'push', said: null });
  });

  it('says that a step is tried again, and why', () => {
    const failed = {
      ...saying({ phase: 'start' }),
      attempt: 3,
      lastFailure: { message: 'the host is down' },
    };
    const retries = [{ activity: 'pushImage', attempt: 3, message: 'the host is down' }];
    expect(look(failed)).toMatchObject({ attempt: 3, retries });
  });
});
