import type { RegistryClient } from '../../src/registry/client.js';
import type { Factory } from './factory.js';
import type { Line } from './line.js';
import type { Peer } from './peers.js';
import type { Programs } from './programs.js';

/** What all rows share. */
export interface Bench {
  programs: Programs;
  peers: Peer[];
  factory: Factory;
  /** A registry that holds the fleet, and where its storage is. */
  source: string;
  sourceStorage: string;
  /** For what rows publish. */
  client: RegistryClient;
  /** `bench/app-00:1`, … */
  images: readonly string[];
  /** Of the fleet's distinct blobs. */
  bytes: number;
  runs: number;
  directory: string;
  log(line: string): void;
}

/** Measures one or more lines of the table. */
export type Row = (bench: Bench) => Promise<Line[]>;
