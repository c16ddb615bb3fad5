import { readFileSync } from 'node:fs';

/** USER_HZ, which Linux fixes at 100 for /proc. */
export const TICKS_PER_SECOND = 100;

/** Seconds that the machine's cores have worked so far, all of them together, whoever for (proc_stat(5)). */
export function busySeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)
    .join('')
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

/** What a piece of work took: its seconds, and those of all cores while it ran. */
export interface Measured {
  seconds: number;
  cpu: number;
}

export async function measured(work: () => Promise<unknown>): Promise<Measured> {
  const [began, busy] = [performance.now(), busySeconds()];
  await work();
  return { seconds: (performance.now() - began) / 1000, cpu: busySeconds() - busy };
}
