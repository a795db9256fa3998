// RunningBroker: what a program that runs a broker may do with it. `server.ts` makes it, `mod.ts` hands it out.

import type { Broker } from "./broker.ts";
import type { HostPort } from "./config/rules.ts";

export interface RunningBroker {
  readonly brokerId: number;
  readonly clusterId: string;
  /** Where the doors listen, with the ports they got. */
  readonly kafka: HostPort;
  readonly http: HostPort | undefined;
  /** What both doors call. */
  readonly broker: Broker;
  /** Why the broker is not ready for work; empty when it is. */
  readiness(): readonly string[];
  /** Resolves when the log directory failed: nothing is taken or served any more, only a restart helps. */
  readonly failed: Promise<Error>;
  /** Retention and checkpoints at once, for hosts that wake a broker only now and then. */
  keepHouse(): void;
  /** Drains, flushes, marks a clean stop. Idempotent. False when the disk refused: the next start checks the logs. */
  close(): Promise<boolean>;
}
