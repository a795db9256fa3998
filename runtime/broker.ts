// Broker: what both doors call. Nothing here knows which door a request came through, and the doors know
// nothing behind it. `local-broker.ts` implements it on this process's logs; a remote one (the client
// library) and a router by leadership come behind the same interface.
//
// Offsets, sizes, timestamps (ms since 1970) and producer ids are plain numbers; -1 means "none" where Kafka
// says so. Methods throw or reject with `BrokerError` for the whole request, and return `error` per item
// where one item may fail alone. A method that returns `T | Promise<T>` answers at once when it can: callers
// on hot paths must not await needlessly.

import type { BrokerRecord, ClusterState, TopicId } from "../cluster/control-plane.ts";
import type { ClusterCare } from "./cluster-care.ts";
import type { BrokerError } from "./errors.ts";
import type { GroupCoordinator } from "./group-coordinator.ts";
import type { Records } from "./records.ts";
import type { TransactionCoordinator } from "./transaction-coordinator.ts";

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

// ---- produce ----

export interface AppendRequest {
  readonly topic: string;
  readonly partition: number;
  /**
   * Exactly one record batch v2 (Kafka allows no more per partition). Read before `append` returns, so it
   * may lie in a buffer that is reused afterwards; bytes in the core's memory are not copied.
   */
  readonly batch: Uint8Array;
  /** 0 and 1: the leader's log; -1: all in-sync replicas. Durability follows the topic's flush mode. */
  readonly acks: -1 | 0 | 1;
  readonly timeoutMs: number;
  /** Of a producer with transactions: says which broker coordinates them. */
  readonly transactionalId?: string | undefined;
  /** The partition joins the transaction of the batch's producer by this append (KIP-890). */
  readonly joinsTransaction?: boolean;
  /** Only if the batch would begin there: OPERATION_NOT_ATTEMPTED if the leader's log ends elsewhere. */
  readonly expectedOffset?: number | undefined;
  /** Only while this is the token taken last: PRODUCER_FENCED otherwise. */
  readonly fence?: number | undefined;
}

export interface TakeFenceRequest extends TopicPartition {
  /** Higher than all before; absent: the next one. */
  readonly token?: number | undefined;
}

export interface Appended {
  readonly baseOffset: number;
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  /** Offset after the last record of this batch. */
  readonly nextOffset: number;
}

// ---- fetch ----

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly bytesMax: number;
  /** Leader epoch the client knows, -1 if none: FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH if it differs. */
  readonly currentLeaderEpoch: number;
  /** Of a replica: epoch of its last record, -1 if it has none. */
  readonly lastFetchedEpoch?: number;
  /** Of a replica: what it was told last; a newer one is news that does not wait for the next record. */
  readonly highWatermarkKnown?: number;
}

export interface FetchRequest {
  readonly partitions: readonly FetchPartition[];
  readonly waitMsMax: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly isolation: "read_uncommitted" | "read_committed";
  /** Another broker that copies: it sees all of the log, and its offsets say what it has. */
  readonly replica?: { readonly id: number; readonly epoch: number };
  /** Rack of a consumer that may read from any replica (KIP-392), "" if it has none. Absent: leaders only. */
  readonly rack?: string;
  /** Aborted when the client is gone: the wait ends and nothing is read. */
  readonly signal?: AbortSignal;
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly error: BrokerError | null;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  /** Only for read_committed. */
  readonly abortedTransactions: readonly { producerId: number; firstOffset: number }[];
  /** To a replica whose log differs: the newest epoch both know of, and where it ended here. */
  readonly diverging?: { readonly epoch: number; readonly endOffset: number };
  /** A replica in the consumer's rack to read from instead. */
  readonly preferredReadReplica?: number;
  /** The first batch may begin before the asked offset; it is whole even above bytesMax (KIP-74). */
  readonly records: Records;
}

// ---- offsets ----

export type OffsetSpec =
  | "earliest"
  | "latest"
  | "max-timestamp"
  | "earliest-local"
  | { readonly timestampMs: number };

export interface ListedOffset {
  readonly error: BrokerError | null;
  /** -1/-1 when no record matches. */
  readonly offset: number;
  readonly timestampMs: number;
  readonly leaderEpoch: number;
}

export interface EpochEndOffset {
  readonly error: BrokerError | null;
  /** -1/-1 when unknown. */
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

// ---- topics and configs ----

export interface CreateTopicRequest {
  readonly name: string;
  /** -1: the broker's num.partitions. Ignored with `assignments`. */
  readonly partitions: number;
  /** -1: the broker's default.replication.factor. */
  readonly replicationFactor: number;
  readonly assignments?: readonly (readonly number[])[];
  readonly configs: ReadonlyMap<string, string>;
  readonly validateOnly?: boolean;
}

export interface CreatedTopic {
  readonly name: string;
  readonly id: TopicId;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: readonly ConfigEntry[];
}

export type ConfigResource =
  | { readonly kind: "topic"; readonly name: string }
  /** A consumer group, which need not exist. */
  | { readonly kind: "group"; readonly groupId: string }
  /** `broker: null`: the cluster-wide default for brokers. */
  | { readonly kind: "broker"; readonly broker: number | null };

export type ConfigSource =
  | "DYNAMIC_TOPIC_CONFIG"
  | "DYNAMIC_GROUP_CONFIG"
  | "DYNAMIC_BROKER_CONFIG"
  | "DYNAMIC_DEFAULT_BROKER_CONFIG"
  | "STATIC_BROKER_CONFIG"
  | "DEFAULT_CONFIG";

export type ConfigType =
  | "BOOLEAN"
  | "STRING"
  | "INT"
  | "SHORT"
  | "LONG"
  | "DOUBLE"
  | "LIST"
  | "CLASS"
  | "PASSWORD";

export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly source: ConfigSource;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
  readonly type: ConfigType;
  readonly documentation: string;
  /** Strongest first, the winner included. */
  readonly synonyms: readonly { name: string; value: string | null; source: ConfigSource }[];
}

export type ConfigOperation =
  | { readonly name: string; readonly op: "set" | "append" | "subtract"; readonly value: string }
  | { readonly name: string; readonly op: "delete" };

// ---- looking inside ----

export interface ProducerView {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastTimestampMs: number;
  readonly coordinatorEpoch: number;
  /** -1: no open transaction. */
  readonly transactionStartOffset: number;
}

export interface PartitionView {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly logEndOffset: number;
  readonly sizeBytes: number;
  readonly segments: number;
}

export interface LogDirView {
  readonly path: string;
  readonly error: BrokerError | null;
  readonly totalBytes: number;
  readonly usableBytes: number;
  readonly partitions: readonly { topic: string; partition: number; sizeBytes: number }[];
}

export interface Broker {
  readonly brokerId: number;
  readonly transactions: TransactionCoordinator;
  /** Synchronous view: brokers, topics, leaders. Topic lookups on hot paths go through it. */
  cluster(): ClusterState;
  /** This broker's own record (advertised host and port of the Kafka door). */
  self(): BrokerRecord;

  /** Moving leaders and replicas. */
  readonly care: ClusterCare;
  /** Consumer groups. */
  readonly groups: GroupCoordinator;

  append(request: AppendRequest): Appended | Promise<Appended>;
  /** Answers in the order asked. Waits up to waitMsMax for bytesMin, as Kafka. Never rejects per partition. */
  fetch(request: FetchRequest): readonly FetchedPartition[] | Promise<readonly FetchedPartition[]>;
  listOffsets(
    request: TopicPartition & {
      spec: OffsetSpec;
      currentLeaderEpoch: number;
      isolation: FetchRequest["isolation"];
    },
  ): Promise<ListedOffset>;
  epochEndOffset(
    request: TopicPartition & { leaderEpoch: number; currentLeaderEpoch: number },
  ): EpochEndOffset;
  /** The token that is taken now; appends with an older one are refused from here on. PRODUCER_FENCED. */
  takeFence(request: TakeFenceRequest): Promise<number>;
  /** Where the log ends that is led here. Throws if it is led elsewhere. */
  endOffset(place: TopicPartition): number;
  /** Returns the new log start offset. `offset` -1 means the high watermark. OFFSET_OUT_OF_RANGE otherwise. */
  deleteRecords(request: TopicPartition & { offset: number }): Promise<number>;
  initProducerId(request: {
    transactionalId: string | null;
    transactionTimeoutMs: number;
    producerId: number;
    producerEpoch: number;
  }): Promise<{ producerId: number; producerEpoch: number }>;

  /** INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_CONFIG, POLICY_VIOLATION, … */
  createTopic(request: CreateTopicRequest): Promise<CreatedTopic>;
  /**
   * Creates with the broker's defaults if `auto.create.topics.enable`; else UNKNOWN_TOPIC_OR_PARTITION. Resolves
   * when the topic can be used, also for who was not the first to ask.
   */
  autoCreateTopic(name: string): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  createPartitions(request: {
    name: string;
    partitions: number;
    assignments?: readonly (readonly number[])[];
    validateOnly?: boolean;
  }): Promise<void>;
  /** All configs that apply, defaults included. `names` limits; unknown names are left out. */
  describeConfigs(
    resource: ConfigResource,
    names: readonly string[] | null,
  ): readonly ConfigEntry[];
  alterConfigs(
    resource: ConfigResource,
    operations: readonly ConfigOperation[],
    options: { validateOnly: boolean },
  ): Promise<void>;
  /** Old AlterConfigs: what is not named goes back to its default. */
  replaceConfigs(
    resource: ConfigResource,
    configs: ReadonlyMap<string, string>,
    options: { validateOnly: boolean },
  ): Promise<void>;

  describePartition(request: TopicPartition): PartitionView;
  describeProducers(request: TopicPartition): readonly ProducerView[];
  describeLogDirs(): readonly LogDirView[];
}
