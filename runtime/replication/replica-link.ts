// ReplicaLink: what a follower asks a leader for, and what comes back, in the words of this folder. `kafka-link.ts`
// carries it as Kafka's Fetch; tests bring their own.

import type { TopicId } from "../../cluster/control-plane.ts";
import type { PeerAddress } from "../../cluster/peer.ts";
import type { EpochEnd } from "./truncation.ts";

export interface ReplicaFetchItem {
  readonly topicId: TopicId;
  readonly partition: number;
  /** The follower's idea of the current leader epoch: the leader refuses any other. */
  readonly leaderEpoch: number;
  /** Everything below it is here, and as durable as the topic wants. */
  readonly fetchOffset: number;
  /** Of the record before `fetchOffset`, -1: there is none. */
  readonly lastFetchedEpoch: number;
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly bytesMax: number;
}

export interface ReplicaFetchRequest {
  readonly replicaId: number;
  readonly brokerEpoch: number;
  readonly waitMsMax: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly items: readonly ReplicaFetchItem[];
}

/** What the leader says of one partition. */
export interface ReplicaFetched {
  readonly topicId: TopicId;
  readonly partition: number;
  /** Kafka's name, "NONE" when it went well. */
  readonly error: string;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  /** The logs differ: no records, cut first. */
  readonly diverging: EpochEnd | undefined;
  /** Whole batches, the last one perhaps cut. Valid until the next fetch of the same link. */
  readonly records: Uint8Array;
}

export interface ReplicaLink {
  /** Rejects when the leader cannot be reached, hangs up, or takes too long; or after `close`. */
  fetch(request: ReplicaFetchRequest): Promise<readonly ReplicaFetched[]>;
  /** Ends what is under way; the next fetch connects again. */
  interrupt(): void;
  close(): void;
}

/** Makes a link to a broker; nothing is dialled before its first fetch. */
export type OpenLink = (leader: PeerAddress) => ReplicaLink;
