// Care of a cluster as the client offers it, `admin().care`: brokers that are fenced too, elections, moves of
// partitions. All on Kafka's own requests; what an older Kafka does not tell is said at each method.

import type { TopicPartition } from "../broker.ts";
import type { BrokerInfo } from "./api.ts";
import type { ClientError } from "./error.ts";

export interface ClusterMember extends BrokerInfo {
  /** Registered, but not heard of, or not caught up: it leads nothing. */
  readonly isFenced: boolean;
}

export interface ClusterMembers {
  readonly clusterId: string;
  readonly controllerId: number;
  /** By id. */
  readonly brokers: readonly ClusterMember[];
}

/** Who decides, and how many changes of the metadata there have been. -1: not known now. */
export interface MetadataProgress {
  readonly controllerId: number;
  readonly controllerEpoch: number;
  readonly version: number;
}

export interface Reassignment extends TopicPartition {
  /** Old and new ones together. */
  readonly replicas: readonly number[];
  readonly adding: readonly number[];
  readonly removing: readonly number[];
}

export interface CareOutcome extends TopicPartition {
  readonly error: ClientError | null;
}

export interface CareAdmin {
  /** Fenced brokers as well, where the broker tells (DescribeCluster v2, Kafka 4.0). */
  members(): Promise<ClusterMembers>;
  metadataProgress(): Promise<MetadataProgress>;
  /** One value per topic; those without it are left out. */
  topicConfigs(topics: readonly string[], name: string): Promise<ReadonlyMap<string, string>>;
  /** Null partitions: all that need it. ELECTION_NOT_NEEDED where it leads already. */
  electLeaders(request: {
    readonly kind: "preferred" | "unclean";
    readonly partitions: readonly TopicPartition[] | null;
  }): Promise<readonly CareOutcome[]>;
  /** Begins moves, or ends them with null replicas; `reassignments` tells when they are over. */
  reassign(
    moves: readonly (TopicPartition & { readonly replicas: readonly number[] | null })[],
  ): Promise<readonly CareOutcome[]>;
  reassignments(): Promise<readonly Reassignment[]>;
  /** Forgets a broker that is stopped and holds nothing. */
  unregister(broker: number): Promise<void>;
}
