// RoutableBroker: the part of a `Broker` that any broker of a cluster can answer, because it may ask the one that
// knows: the leader of a partition, the coordinator of a group. The HTTP door stands on it; a broker that is alone
// implements it as it is.

import type { Broker, PartitionView, TopicPartition } from "./broker.ts";
import type { BrokerError } from "./errors.ts";
import type {
  FetchedOffset,
  GroupCoordinator,
  GroupListing,
  GroupSummary,
} from "./group-coordinator.ts";

type Soon<T> = T | Promise<T>;

/** A partition as its leader sees it, or why nobody can tell. */
export type DescribedPartition = PartitionView | BrokerError;

/** Groups of the whole cluster. */
export interface RoutableGroups
  extends Pick<GroupCoordinator, "find" | "consumerHeartbeat" | "commitOffsets" | "delete"> {
  list(): Soon<readonly GroupListing[]>;
  summary(groupId: string): Soon<GroupSummary>;
  fetchOffsets(
    request: Parameters<GroupCoordinator["fetchOffsets"]>[0],
  ): Soon<readonly FetchedOffset[]>;
}

type Same =
  | ("brokerId" | "cluster" | "append" | "fetch" | "listOffsets" | "deleteRecords" | "takeFence")
  | ("createTopic" | "autoCreateTopic" | "deleteTopic" | "createPartitions")
  | "alterConfigs";

export interface RoutableBroker extends Pick<Broker, Same> {
  readonly groups: RoutableGroups;
  /** No broker behind it knows streams: the doors themselves end and deliver them, and tell each other of readers. */
  readonly doorsKeepStreams?: boolean;
  /** As `Broker.describeConfigs`, by whoever knows. */
  describeConfigs(
    ...asked: Parameters<Broker["describeConfigs"]>
  ): Soon<ReturnType<Broker["describeConfigs"]>>;
  /** Where the log ends now; undefined where only its leader knows. */
  endOffset(place: TopicPartition): number | undefined;
  /** In the order asked. */
  describePartitions(places: readonly TopicPartition[]): Soon<readonly DescribedPartition[]>;
}
