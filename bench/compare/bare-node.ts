/**
 * The least that a Node program can do with bytes that it receives, hashes and sends on: no HTTP, no disk. Gets two
 * ports of the loopback interface, prints the seconds of CPU that it took, its own start left out.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';

const [, , giver, taker] = process.argv;
const before = process.cpuUsage();
const hash = createHash('sha256');
const sink = connect(Number(taker), '127.0.0.1');
for await (const chunk of connect(Number(giver), '127.0.0.1')) {
  hash.update(chunk);
  if (!sink.write(chunk)) await once(sink, 'drain');
}
sink.end();
await once(sink, 'close');
hash.digest();
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${(user + system) / 1e6}`);
