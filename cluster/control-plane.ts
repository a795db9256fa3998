// The control plane's interface and vocabulary: which brokers, topics, partitions, leaders and configs exist.
// `memory.ts` implements it for a broker that is alone, `member.ts` for one of several that share a metadata log
// (over NATS, or served by the parent of several brokers on one machine). It knows nothing of files or Kafka
// bytes; reads are synchronous on a local view that `watch` keeps fresh, writes are promises that resolve when the
// change is durable and visible in this broker's view.

/** Kafka's 16-byte topic id as 22 characters of URL-safe base64, as in `partition.metadata`. */
export type TopicId = string;

export interface BrokerRecord {
  readonly id: number;
  /** One per process incarnation; grows. */
  readonly epoch: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  /** Not heard of, or not caught up: leads nothing and joins no ISR. */
  readonly fenced: boolean;
  /** Shutting down by itself: its leaderships move away, and it gets none. */
  readonly draining: boolean;
  /** Random, one per registration: tells a process from another of the same id. Absent of a broker that is alone. */
  readonly incarnation?: string;
  /** Of its data folder: another one under the same id is an empty disk. Absent where nobody said it. */
  readonly directory?: string;
}

export interface PartitionRecord {
  readonly partition: number;
  /** -1 while there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  /** During a reassignment the union of the old and the new ones, new ones first. */
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  /**
   * Eligible leader replicas (KIP-966): left the ISR while it was smaller than min.insync.replicas, so they have
   * everything below the high watermark.
   */
  readonly elr: readonly number[];
  /** The last leader that was alone in the ISR: the one to wait for when ISR and ELR are empty. -1: none. */
  readonly lastKnownLeader: number;
  /** Replicas that a reassignment adds and removes; both empty when there is none. */
  readonly adding: readonly number[];
  readonly removing: readonly number[];
}

export interface TopicRecord {
  readonly name: string;
  readonly id: TopicId;
  /** Index = partition number; never has holes, never shrinks. */
  readonly partitions: readonly PartitionRecord[];
  /** Only what was set for this topic; names and string values as Kafka's. */
  readonly configs: ReadonlyMap<string, string>;
}

/** Dynamic configs of a broker; `broker: null` is the default for all (Kafka's empty resource name). */
export interface BrokerConfigs {
  readonly broker: number | null;
  readonly configs: ReadonlyMap<string, string>;
}

export interface ClusterState {
  readonly clusterId: string;
  readonly controllerId: number;
  readonly brokers: ReadonlyMap<number, BrokerRecord>;
  readonly topics: ReadonlyMap<string, TopicRecord>;
  readonly topicsById: ReadonlyMap<TopicId, TopicRecord>;
  readonly brokerConfigs: ReadonlyMap<number | null, ReadonlyMap<string, string>>;
  /** Of consumer groups, by group id; groups without any are not in it. */
  readonly groupConfigs: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/**
 * What changed; the new truth is in `state()` when the listener runs. Changes that were written together are seen
 * together: `state()` may be ahead of the one that is being told.
 */
export type ClusterChange =
  | { readonly kind: "topic-created"; readonly topic: TopicRecord }
  | { readonly kind: "topic-deleted"; readonly topic: TopicRecord }
  | { readonly kind: "topic-changed"; readonly topic: TopicRecord }
  | { readonly kind: "broker-changed"; readonly broker: BrokerRecord }
  | { readonly kind: "broker-configs-changed"; readonly broker: number | null }
  | { readonly kind: "group-configs-changed"; readonly groupId: string };

/** `value: null` removes the key. */
export type ConfigChanges = ReadonlyMap<string, string | null>;

/** How well this broker's view of the cluster stands; what `cluster status` and the metrics show. */
export interface ControlPlaneStatus {
  /** The broker that decides, -1 while unknown. */
  readonly controllerId: number;
  readonly controllerEpoch: number;
  /** Number of the newest metadata entry in the view; grows by one per entry. */
  readonly version: number;
  /** Whether the metadata service answers; produce and fetch do not depend on it. */
  readonly isConnected: boolean;
  /** How long the view may lag behind, 0 while connected. */
  readonly ageMs: number;
  /** Why no change is taken any more, with what to do: the metadata went backwards, is of a newer version, … */
  readonly alarm: string | null;
}

export interface PartitionPlace {
  readonly topic: string;
  readonly partition: number;
}

/** What became of one of several partitions of a request; `fault: null`: done. */
export interface PartitionOutcome extends PartitionPlace {
  readonly fault: ControlPlaneFault | null;
  readonly message: string;
}

/** A leader's wish for another ISR, Kafka's AlterPartition. */
export interface IsrChange {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly leaderEpoch: number;
  /** The one that the leader knows; another one means that it must look again first. */
  readonly partitionEpoch: number;
  /** With the broker epochs under which the members fetched: a reborn one is not the one that caught up. */
  readonly isr: readonly { readonly id: number; readonly epoch: number }[];
}

export type ControlPlaneFault =
  /** The controller cannot be reached, or cannot write: try again later. Nothing or everything was done. */
  | "unavailable"
  /** The asking broker's epoch is not the registered one: it must register again. */
  | "stale-broker-epoch"
  /** Another living process has this broker id, or another cluster's. */
  | "broker-refused"
  | "broker-unknown"
  | "partition-unknown"
  /** `leaderEpoch` is not the current one, or the asking broker does not lead. */
  | "fenced-leader-epoch"
  /** `partitionEpoch` is not the current one. */
  | "stale-partition-epoch"
  /** A wished ISR member is fenced, draining or of another broker epoch. */
  | "ineligible-replica"
  | "election-not-needed"
  | "preferred-leader-not-available"
  | "eligible-leaders-not-available"
  | "no-reassignment"
  | "topic-exists"
  | "topic-unknown"
  | "invalid-partitions"
  | "invalid-replication-factor"
  | "invalid-assignment"
  | "storage-failed";

/** What a control plane can refuse; the broker turns it into a `BrokerError`. */
export class ControlPlaneError extends Error {
  readonly fault: ControlPlaneFault;
  constructor(fault: ControlPlaneFault, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ControlPlaneError";
    this.fault = fault;
  }
}

export interface ControlPlane {
  state(): ClusterState;
  /** Calls `changed` in order, once per change; returns a function that ends it. */
  watch(changed: (change: ClusterChange) => void): () => void;
  /**
   * Adds or renews this process's broker; returns its record with the new epoch, at least `epochMin`. The
   * partitions it leads get that as their leader epoch: a restart is an election.
   */
  register(
    broker: {
      id: number;
      host: string;
      port: number;
      rack: string | null;
      epochMin?: number;
      /**
       * Broker epoch that the clean-shutdown marker of the data folder names, absent without one: whoever did not
       * stop cleanly may have lost records and leaves ISR and ELR.
       */
      cleanEpoch?: number;
      /** Id of the data folder. A broker with another one than before has nothing of what it had. */
      directory?: string;
    },
    /** Told why it must wait: the metadata service lost what is known here, until somebody brings it back. */
    waiting?: (alarm: string) => void,
  ): Promise<BrokerRecord>;
  /**
   * `assignments[p]` = replicas of partition p, the first is the preferred leader; or a count and a factor.
   * Faults: topic-exists, invalid-partitions, invalid-replication-factor, invalid-assignment (a list that is
   * empty, uneven, repeats a broker or names one that is not registered). `id` and
   * `leaderEpoch` are given only for a topic that exists on disk already, as in a folder that Kafka wrote.
   */
  createTopic(request: {
    name: string;
    id?: TopicId;
    leaderEpoch?: number;
    layout:
      | { partitions: number; replicationFactor: number }
      | { assignments: readonly (readonly number[])[] };
    configs: ReadonlyMap<string, string>;
  }): Promise<TopicRecord>;
  /** Fault: topic-unknown. */
  deleteTopic(name: string): Promise<void>;
  /**
   * Grows to `partitions` in total; `assignments` are those of the new ones. Faults: topic-unknown,
   * invalid-partitions (not more than now), invalid-assignment.
   */
  createPartitions(request: {
    name: string;
    partitions: number;
    assignments?: readonly (readonly number[])[];
  }): Promise<TopicRecord>;
  alterTopicConfigs(name: string, changes: ConfigChanges): Promise<TopicRecord>;
  alterBrokerConfigs(broker: number | null, changes: ConfigChanges): Promise<void>;
  /** The group need not exist. */
  alterGroupConfigs(groupId: string, changes: ConfigChanges): Promise<void>;
  /** First of `count` producer ids that no one else ever gets, also after a crash. */
  allocateProducerIds(count: number): Promise<number>;

  // ---- several brokers; a broker alone answers the same questions about itself ----

  /** ISR changes of partitions that this broker leads; answers in the order asked. */
  alterIsr(changes: readonly IsrChange[]): Promise<readonly PartitionOutcome[]>;
  /** Leaders by preference (`replicas[0]`), or any live replica (data may be lost). Null: all that need it. */
  electLeaders(request: {
    kind: "preferred" | "unclean";
    partitions: readonly PartitionPlace[] | null;
  }): Promise<readonly PartitionOutcome[]>;
  /** `replicas: null` ends a reassignment where it is and goes back. Progress is in the partition records. */
  reassign(
    requests: readonly (PartitionPlace & { readonly replicas: readonly number[] | null })[],
  ): Promise<readonly PartitionOutcome[]>;
  /** This broker is about to stop: resolves when others lead what others can lead. */
  drain(): Promise<void>;
  /** Forgets a broker that is fenced and has no replica any more. Faults: broker-unknown, broker-refused. */
  unregister(brokerId: number): Promise<void>;
  status(): ControlPlaneStatus;
  /** The whole metadata as bytes, for `cluster snapshot`; `restore` puts them back, above all epochs known. */
  snapshot(): Uint8Array;
  restore(snapshot: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

const MIN_INSYNC_DEFAULT = 1;

/**
 * The topic's min.insync.replicas as leader and controller must agree on it: the topic's, else the cluster's default,
 * never one broker's own. Whoever left the ISR below it may lead again only because the leader froze its high watermark
 * by the same number.
 */
export function minInsyncReplicasOf(state: ClusterState, topic: TopicRecord): number {
  const text = durabilityConfig(state, topic, "min.insync.replicas");
  const value = Number(text ?? MIN_INSYNC_DEFAULT);
  return Number.isInteger(value) && value >= 1 ? value : MIN_INSYNC_DEFAULT;
}

/** Whether a replica that may lack acknowledged records leads rather than none. */
export function isUncleanElectionAllowed(state: ClusterState, topic: TopicRecord): boolean {
  return durabilityConfig(state, topic, "unclean.leader.election.enable") === "true";
}

function durabilityConfig(state: ClusterState, topic: TopicRecord, name: string) {
  return topic.configs.get(name) ?? state.brokerConfigs.get(null)?.get(name);
}
