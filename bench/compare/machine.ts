import { cpus, release, totalmem, type } from 'node:os';

/** The machine that a result is true of; nothing that names it. */
export function machineOf(): string[] {
  const all = cpus();
  return [
    `${all[0]?.model.trim() ?? 'unknown CPU'}, ${all.length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `${type()} ${release().split('-')[0]}, Node ${process.versions.node}`,
    'Everything on this one machine: registries, Temporal server, worker, peers, and the bench itself.',
  ];
}
