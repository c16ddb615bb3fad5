import type { Infra } from '../../contract/run.js';

export interface SimulatedConnector {
  identifier: string;
  name?: string;
  /** `DockerRegistry` when absent. */
  type?: string;
  dockerRegistryUrl?: string;
  /** Replaces the Docker connector's spec, for other types. */
  spec?: Record<string, unknown>;
  /** The connector's test fails with this message. */
  testFailure?: string;
}

type Fields = Record<string, string>;

/**
 * What the account holds. Public and mutable: a test or a demo may change it at any time, as a person in Harness's UI
 * could.
 */
export class SimulatorState {
  readonly defaults: Record<Infra, Fields>;
  readonly overrides: Record<Infra, Fields>;
  readonly deprecated: Fields = {};
  readonly connectors: Map<string, SimulatedConnector>;
  /** After a write, this many reads of the configuration still show what was there before. */
  readLag = 0;
  /** Answer unknown fields in the framework's plain shape. */
  plainErrors = false;
  /** GraphQL's schema has the CI images that our query asks for; no account's has today. */
  graphqlHasImages = false;
  readonly #stale: Record<Infra, { fields: Fields; reads: number }> = {
    K8: { fields: {}, reads: 0 },
    VM: { fields: {}, reads: 0 },
  };

  constructor(initial: {
    defaults: Partial<Record<Infra, Fields>>;
    overrides?: Partial<Record<Infra, Fields>>;
    connectors: readonly SimulatedConnector[];
  }) {
    this.defaults = { K8: { ...initial.defaults.K8 }, VM: { ...initial.defaults.VM } };
    this.overrides = { K8: { ...initial.overrides?.K8 }, VM: { ...initial.overrides?.VM } };
    this.connectors = new Map(initial.connectors.map((connector) => [connector.identifier, connector]));
  }

  /** The overrides as a read shows them, which may lag behind. */
  read(infra: Infra): Fields {
    const stale = this.#stale[infra];
    if (stale.reads === 0) return this.overrides[infra];
    stale.reads -= 1;
    return stale.fields;
  }

  /** Applies a batch of which every field is known. */
  write(infra: Infra, change: (fields: Fields) => void): void {
    this.#stale[infra] = { fields: { ...this.overrides[infra] }, reads: this.readLag };
    change(this.overrides[infra]);
  }
}
