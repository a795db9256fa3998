// What a member of a cluster is given, and its time limits. All time and randomness come through here, so that a
// simulator can replay a run.

import type { ClusterFiles } from "./journal.ts";
import type { MetadataLog } from "./metadata-log.ts";
import type { Peers } from "./peer.ts";
import type { Random } from "./random-id.ts";

export interface Timer {
  cancel(): void;
}

export interface MemberClock {
  /** Never jumps. */
  monotonicMs(): number;
  after(delayMs: number, run: () => void): Timer;
}

export interface MemberSettings {
  /** How often a broker tells the controller that it lives: broker.heartbeat.interval.ms. */
  readonly heartbeatMs: number;
  /** Silence after which a broker is fenced, or a controller replaced: broker.session.timeout.ms. */
  readonly sessionMs: number;
  /** How long a change is tried while the controller moves or the metadata service is away. */
  readonly requestMsMax: number;
  /** How long the metadata service may take to answer when a broker starts. */
  readonly openMsMax: number;
  /** How often leaders go back to their preferred brokers by themselves; 0: never. */
  readonly leaderRebalanceMs: number;
  /** Entries beyond this are replaced by a snapshot, so that newcomers start quickly. */
  readonly logBytesMax: number;
  /** Cluster-wide defaults of a cluster that this broker begins. */
  readonly newClusterConfigs: ReadonlyMap<string, string>;
}

export const DEFAULT_MEMBER_SETTINGS: MemberSettings = {
  heartbeatMs: 300,
  sessionMs: 1_500,
  requestMsMax: 10_000,
  openMsMax: 60_000,
  leaderRebalanceMs: 300_000,
  logBytesMax: 8 << 20,
  newClusterConfigs: new Map(),
};

export interface MemberOptions {
  readonly log: MetadataLog;
  readonly peers: Peers;
  readonly clock: MemberClock;
  readonly random: Random;
  /** Where this broker's own copy of the metadata is kept; absent: nowhere, and going back is noticed less often. */
  readonly files?: ClusterFiles;
  readonly brokerId: number;
  readonly settings?: Partial<MemberSettings>;
  /** Told why no changes are taken any more, and null when they are again. */
  readonly alarmed?: (alarm: string | null) => void;
  /** Of an existing cluster it must be the id it has. A new one gets it; default: random. */
  readonly clusterId?: string;
}

export function pause(clock: MemberClock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
