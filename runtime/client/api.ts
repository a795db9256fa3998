// The client library as its users see it: options, records and the four interfaces. `client.ts` makes them
// real. Offsets and timestamps (ms since 1970) are plain numbers, -1 is "none" where Kafka says so; whatever
// fails rejects with a `ClientError`.

import type {
  ConfigEntry,
  ConfigOperation,
  ConfigResource,
  OffsetSpec,
  PartitionView,
  ProducerView,
  TopicPartition,
} from "../broker.ts";
import type { ClientPlatform, CodecName, TlsOptions } from "../platform.ts";
import type { CareAdmin } from "./care-api.ts";
import type { ClientError } from "./error.ts";
import type { GroupConsumer, GroupConsumerOptions, Groups } from "./group-api.ts";
import type { Fetch } from "./http-network.ts";
import type { MetadataCopies } from "./metadata-copies.ts";
import type {
  ExactlyOnceOptions,
  TransactionalProducer,
  TransactionalProducerOptions,
} from "./transaction-api.ts";

export type { ClientPlatform, ConfigOperation, ConfigResource, OffsetSpec, TopicPartition };

export interface ClientOptions {
  /**
   * "host:port" of any brokers; the others are found through them. Or "http://…", "https://…": HTTP doors of a
   * Timberline server or gateway, through which all brokers are reached: for browsers, and where there is no TCP.
   */
  readonly bootstrap: string | readonly string[];
  /** Instead of the runtime's own. */
  readonly platform?: ClientPlatform;
  /** With URLs, instead of the runtime's own: to add headers, or to reach a Worker through its binding. */
  readonly fetch?: Fetch;
  /** Encrypted connections; true: with the certificates the runtime trusts. */
  readonly tls?: boolean | TlsOptions;
  /** For brokers that ask who is there. */
  readonly sasl?: SaslOptions;
  /** Name in the broker's logs and quotas; "timberline" by default. */
  readonly clientId?: string;
  /** One TCP connection attempt, 10 s. */
  readonly connectTimeoutMs?: number;
  /** One request without an answer, 30 s; then its connection is given up. */
  readonly requestTimeoutMs?: number;
  /** How long an operation is retried in all (metadata, admin, offsets), 60 s. */
  readonly operationTimeoutMs?: number;
  /** First and longest wait before a retry, 100 ms and 1 s; doubled each time, with jitter. */
  readonly retryBackoffMs?: number;
  readonly retryBackoffMsMax?: number;
  /** Metadata older than this is asked for again, 5 min. */
  readonly metadataAgeMsMax?: number;
}

export interface SaslOptions {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

export interface Client {
  producer(options?: ProducerOptions): Producer;
  /** A producer whose records become visible together or not at all. */
  transactionalProducer(options: TransactionalProducerOptions): TransactionalProducer;
  consumer(options?: ConsumerOptions): Consumer;
  admin(): Admin;
  groups(): Groups;
  /** A consumer that shares partitions with the others of its group. */
  groupConsumer(options: GroupConsumerOptions): GroupConsumer;
  /**
   * Until the consumer is stopped: each batch, what `process` sends, and the group's offset in one transaction.
   * Rejects with what `process` throws, and when trying again does not help; both stay open.
   */
  processExactlyOnce(options: ExactlyOnceOptions): Promise<void>;
  /** Closes what it made: producers are flushed, consumers stopped. */
  close(): Promise<void>;
}

// ---- produce ----

/** Text is sent as UTF-8. Bytes are copied: they may change once the call has returned. */
export type Bytes = Uint8Array | string;

export interface OutgoingHeader {
  readonly key: string;
  readonly value: Bytes | null;
}

export interface OutgoingRecord {
  readonly topic: string;
  readonly value: Bytes | null;
  /** Decides the partition (murmur2, as Java) unless `partition` is given. */
  readonly key?: Bytes | null;
  readonly partition?: number;
  /** The clock's time of `send` if absent. */
  readonly timestampMs?: number;
  readonly headers?: readonly OutgoingHeader[];
}

export interface Sent {
  readonly topic: string;
  readonly partition: number;
  /** -1 with acks 0, and for a duplicate whose offset the broker no longer knows. */
  readonly offset: number;
  /** The broker's with LogAppendTime, else the record's own. */
  readonly timestampMs: number;
}

/** Neighbours of one `sendBatch` that went to one partition in one batch, in the order given. */
export interface SentRange {
  readonly topic: string;
  readonly partition: number;
  /** Of the first; the others follow without gaps. -1 as in `Sent`. */
  readonly offset: number;
  readonly count: number;
}

/** Replaces the default choice: by key murmur2, without key sticky. */
export interface Partitioner {
  /**
   * `partitions` is the topic's count (≥ 1), `available` those with a leader now (maybe none), `bytes` the
   * record's size. The answer must be in [0, partitions).
   */
  choose(choice: {
    readonly topic: string;
    readonly key: Uint8Array | null;
    readonly bytes: number;
    readonly partitions: number;
    readonly available: readonly number[];
  }): number;
}

export interface ProducerOptions {
  /** -1: all in-sync replicas (default); 1: the leader; 0: no answer. */
  readonly acks?: -1 | 0 | 1;
  /** No duplicates and no reordering by retries; default unless acks is 0 or 1. */
  readonly idempotent?: boolean;
  readonly compression?: CodecName | "none";
  /** A batch is sent when it has this many bytes (before compression), 1 MB, … */
  readonly batchBytes?: number;
  /** … or this age. 0 (default): at once, with what else was sent in the same turn of the event loop. */
  readonly lingerMs?: number;
  /** Unacknowledged bytes above which `ready` waits, 32 MiB; above twice that `send` rejects. */
  readonly bufferBytesMax?: number;
  /** One record, and one request to a broker, 1 MiB. */
  readonly requestBytesMax?: number;
  /** Requests on their way to one broker, 5. */
  readonly inFlightMax?: number;
  /** From `send` to giving up, 120 s. */
  readonly deliveryTimeoutMs?: number;
  readonly partitioner?: Partitioner;
}

export interface Producer {
  /** Queues one record; resolves when it is acknowledged. */
  send(record: OutgoingRecord): Promise<Sent>;
  /** Many records at the cost of one promise: the fast path. Rejects if any of them fails. */
  sendBatch(records: readonly OutgoingRecord[]): Promise<readonly SentRange[]>;
  /** `undefined` if there is room for more now, else a promise of it: `await producer.ready()`. */
  ready(): Promise<void> | undefined;
  /** Sends what is queued and waits until all is acknowledged or has failed; never rejects. */
  flush(): Promise<void>;
  /** Flushes; afterwards `send` rejects. */
  close(): Promise<void>;
}

// ---- consume ----

export type StartOffset = number | OffsetSpec;

export interface Assignment extends TopicPartition {
  readonly offset: StartOffset;
}

export interface ConsumerOptions {
  readonly isolation?: "read_uncommitted" | "read_committed";
  /** The broker waits this long for `fetchBytesMin`, 500 ms and 1. */
  readonly fetchWaitMsMax?: number;
  readonly fetchBytesMin?: number;
  /** One answer, 16 MiB, and of it one partition, 1 MiB. A larger batch still arrives whole. */
  readonly fetchBytesMax?: number;
  readonly partitionBytesMax?: number;
  /** Fetched but not yet iterated, as on the wire; above it nothing more is asked for. 32 MiB. */
  readonly bufferBytesMax?: number;
  /** Largest unpacked batch, 64 MiB: MESSAGE_TOO_LARGE above. */
  readonly batchBytesMax?: number;
  /** Where to go on when the offset is no longer there; "error" (default) rejects OFFSET_OUT_OF_RANGE. */
  readonly offsetReset?: "earliest" | "latest" | "error";
  /**
   * Keys, values and headers hold only until the next record or batch is asked for: then the memory of their answer is
   * used for another. Less garbage, and for large records less CPU where the runtime gives freed memory back to the
   * system (Bun; on Node hardly any). Off by default: they stay valid.
   */
  readonly reuseMemory?: boolean;
}

export interface ConsumedHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/**
 * Key and values are views of the fetched answer, and stay valid (without `reuseMemory`). A single one keeps all of that answer in memory, so
 * `slice()` what is kept for long.
 */
export interface ConsumedRecord extends TopicPartition {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly ConsumedHeader[];
}

export type BatchRecord = Omit<ConsumedRecord, keyof TopicPartition>;

/**
 * The records of one record batch, in order, never empty. To iterate the batch itself is the fastest way to read:
 * each record is decoded when it is asked for, and may be iterated again.
 */
export interface ConsumedBatch extends TopicPartition, Iterable<BatchRecord> {
  readonly count: number;
  /** All of them decoded at once. */
  readonly records: readonly BatchRecord[];
  /** Where the partition ended when this was fetched: at its end if `nextOffset` ≥ `highWatermark`. */
  readonly highWatermark: number;
  readonly logStartOffset: number;
  /** Where reading goes on after this batch. */
  readonly nextOffset: number;
  /** As in the batch's header: leader epoch, and the attribute bits (0–2 are the codec). */
  readonly leaderEpoch: number;
  readonly attributes: number;
}

/** Iterate once: `batches()`, `records()` or the consumer itself. Leaving the loop keeps the position. */
export interface Consumer extends AsyncIterable<ConsumedRecord> {
  /** Replaces the assigned partitions; resolves when their start offsets are known. */
  assign(assignments: readonly Assignment[]): Promise<void>;
  batches(): AsyncIterableIterator<ConsumedBatch>;
  records(): AsyncIterableIterator<ConsumedRecord>;
  /** The next batch, or null after `waitMs` without one (or at once when stopped). */
  poll(waitMs: number): Promise<ConsumedBatch | null>;
  seek(assignment: Assignment): Promise<void>;
  /** Paused partitions are not fetched, and what is buffered of them waits. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Offset of the next record to be handed out; undefined if not assigned. */
  position(partition: TopicPartition): number | undefined;
  /** Ends the iterations, and what is on its way. */
  stop(): Promise<void>;
}

// ---- admin ----

export interface NewTopic {
  readonly name: string;
  /** -1 (default): the broker's `num.partitions`. */
  readonly partitions?: number;
  /** -1 (default): the broker's `default.replication.factor`. */
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
  /** Replicas by partition; instead of the counts. */
  readonly assignments?: readonly (readonly number[])[];
}

export type PartitionInfo = Pick<
  PartitionView,
  "partition" | "leader" | "leaderEpoch" | "replicas" | "isr"
>;

export interface TopicInfo {
  readonly name: string;
  readonly id: string;
  readonly isInternal: boolean;
  readonly partitions: readonly PartitionInfo[];
}

export interface BrokerInfo {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

export interface ClusterInfo {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: readonly BrokerInfo[];
}

export interface PartitionOffset extends TopicPartition {
  readonly error: ClientError | null;
  /** -1 if no record matches. */
  readonly offset: number;
  readonly timestampMs: number;
  readonly leaderEpoch: number;
}

export interface LogDirInfo {
  readonly broker: number;
  readonly path: string;
  readonly error: ClientError | null;
  /** -1 if the broker does not say. */
  readonly totalBytes: number;
  readonly usableBytes: number;
  readonly partitions: readonly (TopicPartition & { readonly sizeBytes: number })[];
}

export interface Admin {
  /** TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_CONFIG, …; can be produced to when it resolves. */
  createTopic(topic: NewTopic, options?: { readonly validateOnly?: boolean }): Promise<TopicInfo>;
  deleteTopic(name: string): Promise<void>;
  /** All topics, or those named: UNKNOWN_TOPIC_OR_PARTITION if one is missing. Never creates. */
  topics(names?: readonly string[]): Promise<readonly TopicInfo[]>;
  topic(name: string): Promise<TopicInfo>;
  /** `partitions` is the new total. */
  createPartitions(topic: string, partitions: number): Promise<void>;
  describeConfigs(
    resource: ConfigResource,
    options?: { readonly names?: readonly string[]; readonly documentation?: boolean },
  ): Promise<readonly ConfigEntry[]>;
  alterConfigs(
    resource: ConfigResource,
    operations: readonly ConfigOperation[],
    options?: { readonly validateOnly?: boolean },
  ): Promise<void>;
  /** In the order asked. */
  listOffsets(
    asked: readonly (TopicPartition & { readonly spec: OffsetSpec })[],
    options?: { readonly isolation?: ConsumerOptions["isolation"] },
  ): Promise<readonly PartitionOffset[]>;
  /** Removes what lies before `offset` (-1: everything up to the high watermark); the new log start. */
  deleteRecords(partition: TopicPartition, offset: number): Promise<number>;
  cluster(): Promise<ClusterInfo>;
  /** Of one broker, or of all. */
  logDirs(broker?: number): Promise<readonly LogDirInfo[]>;
  producers(partition: TopicPartition): Promise<readonly ProducerView[]>;
  readonly transactions: TransactionAdmin;
  readonly care: CareAdmin;
  readonly copies: MetadataCopies;
}

export interface TransactionSummary {
  readonly transactionalId: string;
  /** The broker that coordinates it. */
  readonly coordinator: number;
  readonly producerId: number;
  /** Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit or CompleteAbort. */
  readonly state: string;
}

export interface TransactionInfo extends TransactionSummary {
  readonly producerEpoch: number;
  readonly timeoutMs: number;
  /** -1: none was begun. */
  readonly startMs: number;
  readonly partitions: readonly TopicPartition[];
}

export interface TransactionAdmin {
  /** Of all brokers; `states` limits. */
  list(filter?: { readonly states?: readonly string[] }): Promise<readonly TransactionSummary[]>;
  /** TRANSACTIONAL_ID_NOT_FOUND. */
  describe(transactionalId: string): Promise<TransactionInfo>;
  /** Aborts what is open and shuts its producer out. */
  terminate(transactionalId: string): Promise<void>;
  /** Writes an abort marker past the coordinator: for a transaction that hangs in a partition. */
  abort(partition: TopicPartition, producer: ProducerView): Promise<void>;
}
