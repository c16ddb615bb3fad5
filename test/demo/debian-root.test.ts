import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { debianRoot } from '../../src/demo/fleet/debian-root.js';
import { demoFleet } from '../../src/demo/fleet/fleet.js';
import { bareMachine, program } from './fake-tools.js';

/** As much of Debian's mirror as is looked at before debootstrap runs. */
async function startMirror(status = 200): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

/** A machine with a debootstrap that takes no minute; the real one is tried by the demo's own test, where it is. */
async function machine(script: string) {
  const here = await bareMachine(['sh', 'tar', 'mkdir']);
  await program(here.bin, 'debootstrap', `[ "$1" = --version ] && exit 0\n${script}`);
  // Mount namespaces need more rights than a container gives; what is tried here mounts nothing.
  await program(here.bin, 'unshare', 'shift 2; exec "$@"');
  return here;
}

const MAKES_A_ROOT = 'mkdir -p "$3/etc" "$3/usr/share/doc/x"; echo 12.12 > "$3/etc/debian_version"';
const last = (events: { what: string }[]): string | undefined => events.at(-1)?.what;

describe('a real Debian for the demo', () => {
  it('is made once, then taken from the tool cache, and gets into one image of the fleet', async () => {
    const { env, report, events } = await machine(MAKES_A_ROOT);
    const mirror = await startMirror();
    const made = await debianRoot({ env, report, mirror, isRoot: true });
    if (made === undefined) throw new Error(`not made: ${last(events)}`);
    expect(made.diffId).toBe(`sha256:${createHash('sha256').update(gunzipSync(made.bytes)).digest('hex')}`);
    const content = gunzipSync(made.bytes).toString('latin1');
    expect(content).toContain('etc/debian_version');
    expect(content).not.toContain('usr/share/doc/x');

    // From now on nothing is needed but the cache.
    const kept = await debianRoot({ env, report, mirror: await startMirror(500), isRoot: false });
    expect(kept).toEqual(made);
    expect(last(events)).toMatch(/^in the cache, /);

    const built = demoFleet();
    const changed = demoFleet(made).filter(
      ({ top }, at) => top.descriptor.digest !== built[at]?.top.descriptor.digest,
    );
    expect(changed.map(({ repository }) => repository)).toEqual(['harness/ssca-cdxgen-plugin']);
    expect(changed[0]?.blobs.some(({ bytes }) => bytes.equals(made.bytes))).toBe(true);
  });

  it.each([
    ['nobody is root', MAKES_A_ROOT, 200, false, /needs root$/],
    ['its mirror does not answer well', MAKES_A_ROOT, 503, true, /answers 503$/],
    ['debootstrap fails', 'echo "E: no such suite" >&2; exit 1', 200, true, /E: no such suite$/],
    ['there is no debootstrap', undefined, 200, true, /apt-get install debootstrap\)$/],
  ])('gives way to a built image where %s, in one line', async (_case, script, status, isRoot, why) => {
    const { env, report, events } = script === undefined ? await bareMachine(['sh']) : await machine(script);
    const mirror = await startMirror(status);
    expect(await debianRoot({ env, report, mirror, isRoot })).toBeUndefined();
    expect(last(events)).toMatch(/^a built image stands in/);
    expect(last(events)).toMatch(why);
    expect(last(events)).not.toContain('\n');
  });
});
