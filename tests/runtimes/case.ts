// What a case of the black-box list is: a name and a function that sees a running server from outside, as its
// users do, through both doors and the signals of the system. `suite.ts` runs the list on one runtime.

import type { TestRuntime } from "../support/runtimes.ts";
import type { Address, TestServer } from "../support/server.ts";

/** A server under test: a process of ours, or one of the vendor's that has ours inside. */
export type RunningServer = Pick<
  TestServer,
  "kafka" | "http" | "dataDir" | "process" | "stop" | "kill" | "restart"
>;

export interface Given {
  readonly kafka: Address;
  /** Base address of the HTTP door. */
  readonly http: string;
  readonly runtime: TestRuntime;
  /** To stop, kill and restart it; what it printed. Every case leaves it running. */
  readonly server: RunningServer;
}

export interface Case {
  /** Reads as "<runtime> <name>". */
  readonly name: string;
  readonly run: (given: Given) => Promise<void>;
}

export interface FetchedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
}

export interface Fetched {
  readonly records: readonly FetchedRecord[];
  readonly next_offset: number;
  readonly high_watermark: number;
  readonly log_start_offset: number;
}

export interface Stored {
  readonly record_count: number;
  readonly partitions: readonly { partition: number; start_offset: number; end_offset: number }[];
}
