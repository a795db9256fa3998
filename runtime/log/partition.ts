// Partition: the one owner of one log. Every change passes through it; it decides what a batch must be, when
// an append is acknowledged, and up to where readers may see. Called by `local-broker.ts` and the log folder.

import type { Core } from "../../storage-wasm/core.ts";
import type { Appended, ProducerView } from "../broker.ts";
import type { TopicConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import type { Clock, Codecs } from "../platform.ts";
import { noRecords, type Records } from "../records.ts";
import { StorageError } from "../storage/storage.ts";
import type { Metrics, TopicTraffic } from "../telemetry/metrics.ts";
import { BatchWriter } from "./batch-writer.ts";
import type { TransactionMarker } from "./control-record.ts";
import { DurabilityWaits } from "./durability-waits.ts";
import type { Flushable, Flusher } from "./flusher.ts";
import type { LeaderEpochs } from "./leader-epochs.ts";
import type { LocalLog } from "./local-log.ts";
import { segmentsToDrop } from "./retention.ts";
import type { Segment } from "./segment.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

/** What a partition needs of the log directory it lives in. */
export interface PartitionHost {
  readonly core: Core;
  readonly codecs: Codecs;
  readonly clock: Clock;
  readonly flusher: Flusher;
  readonly metrics: Metrics;
  /** A write or sync failed for good: the directory stops acknowledging. Returns what to answer. */
  fail(error: StorageError): BrokerError;
  /** The log start moved on request: make that durable. */
  startOffsetMoved(): void;
}

export interface PartitionOptions {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly config: TopicConfig;
  readonly decompressedBytesMax: number;
  readonly log: LocalLog;
  readonly epochs: LeaderEpochs;
  /** Indexes and snapshot are not in their files as they are in memory. */
  readonly wasRecovered: boolean;
}

export interface ReadOptions {
  readonly offset: number;
  readonly bytesMax: number;
  readonly atLeastOneBatch: boolean;
}

export class Partition implements Flushable {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly log: LocalLog;
  readonly epochs: LeaderEpochs;
  config: TopicConfig;
  decompressedBytesMax: number;
  /** Set when the partition can neither take nor serve records. */
  fault: BrokerError | undefined;
  readonly #host: PartitionHost;
  readonly #traffic: TopicTraffic;
  readonly #writer: BatchWriter;
  /** Called whenever readers can see more, or the partition went away: they look again. */
  readonly #watchers = new Set<() => void>();
  readonly #waits = new DurabilityWaits();
  #highWatermark: number;
  #leaderEpoch: number;
  #lastFlushMs: number;
  /** Something was dropped or rebuilt that a clean close has to persist. */
  #isDirty: boolean;
  #isClosed = false;

  constructor(host: PartitionHost, options: PartitionOptions) {
    this.#host = host;
    this.#traffic = host.metrics.topic(options.topic);
    this.topic = options.topic;
    this.partition = options.partition;
    this.topicId = options.topicId;
    this.config = options.config;
    this.decompressedBytesMax = options.decompressedBytesMax;
    this.log = options.log;
    this.epochs = options.epochs;
    this.#isDirty = options.wasRecovered;
    this.#writer = new BatchWriter(host, this, this.#traffic);
    this.#highWatermark = options.log.endOffset;
    this.#leaderEpoch = Math.max(0, options.epochs.latest());
    this.#lastFlushMs = host.clock.monotonicMs();
  }

  /** Readers see records below it. */
  get highWatermark(): number {
    return this.#highWatermark;
  }

  /** Readers of committed records see those below it: no transaction is open there. */
  get lastStableOffset(): number {
    const { transactions } = this.log.producers;
    const first = transactions.firstUndecided;
    if (first === undefined) return this.#highWatermark;
    return Math.min(this.#highWatermark, Math.max(first, this.log.startOffset));
  }

  get leaderEpoch(): number {
    return this.#leaderEpoch;
  }

  /** From the control plane; never goes back. */
  set leaderEpoch(epoch: number) {
    this.#leaderEpoch = Math.max(this.#leaderEpoch, epoch);
  }

  /**
   * Checks, stamps and writes one batch now; answers when it is as durable as the topic promises. `batch` is
   * read before this returns. Throws or rejects with `BrokerError`; then nothing was appended, or for a
   * failed sync, nobody knows. A transactional batch begins a transaction only if the coordinator knows of
   * it: `isVerified`. A coordinator's own batch (`isOwn`) has no sequence and is not checked like a client's.
   */
  append(
    batch: Uint8Array,
    options: { waits: boolean; isVerified?: boolean; isOwn?: boolean },
  ): Appended | Promise<Appended> {
    if (this.fault) throw this.fault;
    return this.#promised(this.#writer.write(batch, options), options.waits);
  }

  /** Ends a producer's transaction here. Also without one: then it only raises the producer's epoch. */
  appendMarker(marker: TransactionMarker): Appended | Promise<Appended> {
    if (this.fault) throw this.fault;
    return this.#promised(this.#writer.writeMarker(marker), true);
  }

  /** Undefined: there is nothing to read at `offset` yet. Throws OFFSET_OUT_OF_RANGE. */
  read(options: ReadOptions): Records {
    this.#checkOffset(options.offset);
    const { offset, bytesMax, atLeastOneBatch } = options;
    const endOffset = this.#highWatermark;
    return this.log.read({ offset, endOffset, bytesMax, atLeastOneBatch }) ?? noRecords;
  }

  /** Only what is decided; `aborted` are the transactions in it that its reader must skip. */
  readCommitted(options: ReadOptions): { records: Records; aborted: AbortedTransaction[] } {
    this.#checkOffset(options.offset);
    const endOffset = this.lastStableOffset;
    const records = this.log.read({ ...options, endOffset });
    if (records === undefined) return { records: noRecords, aborted: [] };
    return { records, aborted: this.log.abortedIn(records, options.offset, endOffset) };
  }

  #checkOffset(offset: number): void {
    if (this.fault) throw this.fault;
    if (offset < this.log.startOffset || offset > this.#highWatermark) {
      throw new BrokerError(
        "OFFSET_OUT_OF_RANGE",
        `offset ${offset} is outside ${this.log.startOffset}..${this.#highWatermark} of ` +
          `${this.topic}-${this.partition}`,
      );
    }
  }

  /** Bytes handed to a reader: counted when they leave, not when they were looked for. */
  countRead(bytes: number): void {
    this.#traffic.bytesOut += bytes;
  }

  /** Runs `changed` when there may be more to read; returns how to stop that. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  async flush(): Promise<void> {
    const startedMs = this.#host.clock.monotonicMs();
    try {
      await this.log.flush();
    } catch (cause) {
      this.#flushFailed(cause);
      return;
    }
    this.#lastFlushMs = this.#host.clock.monotonicMs();
    const acknowledged = this.#waits.settle(this.log.recoveryPoint);
    this.#host.metrics.log.fsyncDuration.observeMs(this.#lastFlushMs - startedMs);
    this.#host.metrics.log.fsyncBatchAcks.observe(acknowledged);
    this.#advance(Math.min(this.log.recoveryPoint, this.log.endOffset));
  }

  /** Moves the log start; -1 means the high watermark. Returns the new start. */
  deleteRecords(offset: number): number {
    if (this.fault) throw this.fault;
    const target = offset === -1 ? this.#highWatermark : offset;
    if (target > this.#highWatermark || target < 0) {
      throw new BrokerError(
        "OFFSET_OUT_OF_RANGE",
        `cannot delete up to ${target}: the high watermark is ${this.#highWatermark}`,
      );
    }
    if (target > this.log.startOffset) {
      this.log.moveStartOffset(target);
      this.#startMoved();
      this.#host.startOffsetMoved();
    }
    return this.log.startOffset;
  }

  /** Drops what retention no longer keeps. Returns the bytes that left. */
  applyRetention(nowMs: number): number {
    if (this.fault) return 0;
    const { retentionMs, retentionBytes, cleanupPolicy } = this.config;
    const rules = {
      retentionMs: cleanupPolicy.delete ? retentionMs : -1,
      retentionBytes: cleanupPolicy.delete ? retentionBytes : -1,
      logStartOffset: this.log.startOffset,
      endOffset: this.log.endOffset,
      stableOffset: this.lastStableOffset,
    };
    const count = segmentsToDrop(this.log.segments, rules, nowMs);
    if (count === 0) return 0;
    const { bytes, segments } = this.log.dropOldest(count, nowMs);
    this.#startMoved();
    this.#isDirty = true;
    this.#removeLater(segments);
    return bytes;
  }

  /** Compaction: a cleaned segment for neighbours. False when they are no longer all there. */
  replaceSegments(
    old: readonly Segment[],
    cleaned: Segment,
    aborted: readonly AbortedTransaction[],
  ): boolean {
    if (this.fault) throw this.fault;
    try {
      if (!this.log.replace(old, cleaned, aborted)) return false;
    } catch (cause) {
      // Files are between two names: only a start can tell which are the log.
      if (cause instanceof StorageError) throw this.#host.fail(cause);
      throw cause;
    }
    this.#isDirty = true;
    this.#removeLater(old);
    return true;
  }

  /** Background syncs: `flush=interval` and `flush.ms`. */
  flushIfDue(): void {
    const { flush, flushMs } = this.config;
    const everyMs = flush.mode === "interval" ? Math.min(flush.ms, flushMs) : flushMs;
    const now = this.#host.clock.monotonicMs();
    if (this.log.endOffset === this.log.recoveryPoint || now - this.#lastFlushMs < everyMs) return;
    this.#host.flusher.request(this);
  }

  producerViews(): ProducerView[] {
    return this.log.producers.entries().map((entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.producerEpoch,
      lastSequence: entry.lastSequence,
      lastTimestampMs: entry.timestampMs,
      coordinatorEpoch: entry.coordinatorEpoch,
      transactionStartOffset: entry.transactionFirstOffset,
    }));
  }

  /** Ends all waits with `error`; nothing is taken or served from now on. */
  takeOffline(error: BrokerError): void {
    this.fault = error;
    this.#waits.fail(error);
    this.#wake();
  }

  /** Clean close: everything durable, indexes and snapshot in their files. */
  async close(): Promise<void> {
    if (this.fault === undefined) {
      await this.flush();
      if ((this.#isDirty || this.#writer.hasWritten) && this.fault === undefined)
        this.log.persist();
      this.log.removeAllLeaving();
    }
    this.abandon();
  }

  /** Close without writing anything: the topic is being deleted, or the directory failed. */
  abandon(): void {
    this.#isClosed = true;
    this.takeOffline(
      this.fault ??
        new BrokerError("NOT_LEADER_OR_FOLLOWER", `${this.topic}-${this.partition} is closed`),
    );
    this.log.close();
  }

  #promised(appended: Appended, waits: boolean): Appended | Promise<Appended> {
    const mustFlush = this.#mustFlushNow();
    if (mustFlush && appended.nextOffset > this.log.recoveryPoint) {
      this.#host.flusher.request(this);
      if (waits) return this.#waits.until(appended);
    } else if (!mustFlush) this.#advance(this.log.endOffset);
    return appended;
  }

  #removeLater(segments: readonly Segment[]): void {
    for (const segment of segments) {
      this.#host.clock.after(this.config.fileDeleteDelayMs, () => {
        if (!this.#isClosed) this.log.removeLeaving(segment);
      });
    }
  }

  #startMoved(): void {
    if (this.epochs.truncateStart(this.log.startOffset)) this.#writer.persistEpochs();
  }

  #mustFlushNow(): boolean {
    return (
      this.config.flush.mode === "group" ||
      this.log.endOffset - this.log.recoveryPoint >= this.config.flushMessages
    );
  }

  #advance(offset: number): void {
    if (offset <= this.#highWatermark) return;
    this.#highWatermark = offset;
    this.log.producers.transactions.reveal(offset);
    this.#wake();
  }

  #wake(): void {
    for (const changed of [...this.#watchers]) changed();
  }

  #flushFailed(cause: unknown): void {
    const error =
      cause instanceof StorageError
        ? cause
        : new StorageError("failed", `cannot sync ${this.topic}-${this.partition}`, { cause });
    this.#host.fail(error);
  }
}
