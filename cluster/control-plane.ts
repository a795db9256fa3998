// The control plane's interface and vocabulary: which brokers, topics, partitions, leaders and configs exist.
// `memory.ts` implements it in process (single broker, simulator); the NATS one comes behind the same
// interface. It knows nothing of files or Kafka bytes; reads are synchronous on a local view that `watch`
// keeps fresh, writes are promises that resolve when the change is durable and visible in the view.

/** Kafka's 16-byte topic id as 22 characters of URL-safe base64, as in `partition.metadata`. */
export type TopicId = string;

export interface BrokerRecord {
  readonly id: number;
  /** One per process incarnation; grows. */
  readonly epoch: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  readonly fenced: boolean;
}

export interface PartitionRecord {
  readonly partition: number;
  /** -1 while there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly partitionEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
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

/** What changed; the new truth is in `state()` when the listener runs. */
export type ClusterChange =
  | { readonly kind: "topic-created"; readonly topic: TopicRecord }
  | { readonly kind: "topic-deleted"; readonly topic: TopicRecord }
  | { readonly kind: "topic-changed"; readonly topic: TopicRecord }
  | { readonly kind: "broker-changed"; readonly broker: BrokerRecord }
  | { readonly kind: "broker-configs-changed"; readonly broker: number | null }
  | { readonly kind: "group-configs-changed"; readonly groupId: string };

/** `value: null` removes the key. */
export type ConfigChanges = ReadonlyMap<string, string | null>;

export type ControlPlaneFault =
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
  register(broker: {
    id: number;
    host: string;
    port: number;
    rack: string | null;
    epochMin?: number;
  }): Promise<BrokerRecord>;
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
  close(): Promise<void>;
}
