// Partition: the one owner of one log. Every change passes through it; it decides what a batch must be, when
// an append is acknowledged, and up to where readers may see. Called by `local-broker.ts` and the log folder.

import type { Address, Core } from "../../storage-wasm/core.ts";
import type { Appended, ProducerView } from "../broker.ts";
import type { TopicConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import type { Clock, Codecs } from "../platform.ts";
import { noRecords, type Records } from "../records.ts";
import { StorageError } from "../storage/storage.ts";
import type { Metrics, TopicTraffic } from "../telemetry/metrics.ts";
import {
  checkBatch,
  checkTimestamps,
  codecDemanded,
  placeKnown,
  recompress,
} from "./append-checks.ts";
import { encodeEpochs } from "./checkpoints.ts";
import type { Flushable, Flusher } from "./flusher.ts";
import type { LeaderEpochs } from "./leader-epochs.ts";
import type { LocalLog } from "./local-log.ts";
import { leaderEpochFile } from "./log-files.ts";
import { segmentsToDrop } from "./retention.ts";

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

interface DurabilityWaiter {
  readonly nextOffset: number;
  readonly settle: (error: BrokerError | undefined) => void;
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
  /** Called whenever readers can see more, or the partition went away: they look again. */
  readonly #watchers = new Set<() => void>();
  /** In order of their offsets. */
  #durabilityWaiters: DurabilityWaiter[] = [];
  #highWatermark: number;
  #leaderEpoch: number;
  #lastFlushMs: number;
  /** Something was appended or rebuilt that a clean close has to persist. */
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
    this.#highWatermark = options.log.endOffset;
    this.#leaderEpoch = Math.max(0, options.epochs.latest());
    this.#lastFlushMs = host.clock.monotonicMs();
  }

  /** Readers see records below it. */
  get highWatermark(): number {
    return this.#highWatermark;
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
   * failed sync, nobody knows.
   */
  append(batch: Uint8Array, options: { waits: boolean }): Appended | Promise<Appended> {
    if (this.fault) throw this.fault;
    const appended = this.#write(batch);
    const mustFlush = this.#mustFlushNow();
    if (mustFlush && appended.nextOffset > this.log.recoveryPoint) {
      this.#host.flusher.request(this);
      if (options.waits) return this.#durable(appended);
    } else if (!mustFlush) this.#advance(this.log.endOffset);
    return appended;
  }

  /** Undefined: there is nothing to read at `offset` yet. Throws OFFSET_OUT_OF_RANGE. */
  read(options: { offset: number; bytesMax: number; atLeastOneBatch: boolean }): Records {
    if (this.fault) throw this.fault;
    const { offset, bytesMax, atLeastOneBatch } = options;
    if (offset < this.log.startOffset || offset > this.#highWatermark) {
      throw new BrokerError(
        "OFFSET_OUT_OF_RANGE",
        `offset ${offset} is outside ${this.log.startOffset}..${this.#highWatermark} of ` +
          `${this.topic}-${this.partition}`,
      );
    }
    const endOffset = this.#highWatermark;
    return this.log.read({ offset, endOffset, bytesMax, atLeastOneBatch }) ?? noRecords;
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
    const acknowledged = this.#settle(undefined);
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
      highWatermark: this.#highWatermark,
    };
    const count = segmentsToDrop(this.log.segments, rules, nowMs);
    if (count === 0) return 0;
    const { bytes, segments } = this.log.dropOldest(count, nowMs);
    this.#startMoved();
    this.#isDirty = true;
    for (const segment of segments) {
      this.#host.clock.after(this.config.fileDeleteDelayMs, () => {
        if (!this.#isClosed) this.log.removeLeaving(segment);
      });
    }
    return bytes;
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
    this.#settle(error);
    this.#wake();
  }

  /** Clean close: everything durable, indexes and snapshot in their files. */
  async close(): Promise<void> {
    if (this.fault === undefined) {
      await this.flush();
      if (this.#isDirty && this.fault === undefined) this.log.persist();
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

  #write(batch: Uint8Array): Appended {
    const { core, clock } = this.#host;
    const nowMs = clock.nowMs();
    let at = this.#check(batch, nowMs);
    let { length } = batch;
    const duplicateOf = core.header.producerId < 0 ? undefined : this.#duplicate();
    if (duplicateOf !== undefined) return this.#answer(duplicateOf, core.header.count, -1);
    const codec = codecDemanded(core.header, this.config);
    if (codec !== undefined) {
      const { decompressedBytesMax } = this;
      const levels = this.config.compressionLevels;
      const options = { codec, levels, decompressedBytesMax };
      const other = recompress(core, this.#host.codecs, batch, options);
      at = placeKnown(core, other);
      length = other.length;
    }
    const header = { ...core.header };
    const isAppendTime = this.config.messageTimestampType === "LogAppendTime";
    if (isAppendTime) {
      core.stampAppendTime(at, length, nowMs);
      header.maxTimestamp = nowMs;
    }
    header.baseOffset = this.log.endOffset;
    header.lastOffset = this.log.endOffset + header.count - 1;
    header.leaderEpoch = this.#leaderEpoch;
    core.stamp(at, header.baseOffset, header.leaderEpoch);
    try {
      this.#noteEpoch(header.baseOffset);
      this.log.append(core.bytes(at, length), header, this.config, nowMs);
    } catch (cause) {
      throw this.#writeFailed(cause);
    }
    this.#isDirty = true;
    this.#count(header.count, length);
    return this.#answer(header.baseOffset, header.count, isAppendTime ? nowMs : -1);
  }

  /** Where the batch lies in the core's memory. */
  #check(batch: Uint8Array, nowMs: number): Address {
    const { core, metrics } = this.#host;
    let at: Address;
    try {
      at = checkBatch(this.#host, batch, this.config, this.decompressedBytesMax);
    } catch (error) {
      if (error instanceof BrokerError && error.code === "CORRUPT_MESSAGE") {
        metrics.log.corruptBatches++;
      }
      throw error;
    }
    checkTimestamps(core.header, this.config, nowMs);
    if (core.header.isTransactional) {
      throw new BrokerError(
        "INVALID_TXN_STATE",
        `producer ${core.header.producerId} has no transaction open on ${this.topic}-${this.partition}`,
      );
    }
    return at;
  }

  #count(records: number, bytes: number): void {
    this.#traffic.batchesIn++;
    this.#traffic.recordsIn += records;
    this.#traffic.bytesIn += bytes;
    this.#host.metrics.log.batchSizeBytes.observe(bytes);
  }

  #duplicate(): number | undefined {
    return this.log.producers.duplicateOf(this.#host.core.header);
  }

  #answer(baseOffset: number, count: number, logAppendTimeMs: number): Appended {
    return {
      baseOffset,
      logAppendTimeMs,
      logStartOffset: this.log.startOffset,
      nextOffset: baseOffset + count,
    };
  }

  #noteEpoch(startOffset: number): void {
    if (this.epochs.latest() === this.#leaderEpoch) return;
    if (this.epochs.assign(this.#leaderEpoch, startOffset)) this.#persistEpochs();
  }

  #persistEpochs(): void {
    const { storage } = this.log.place;
    storage.writeFile(
      `${this.log.place.folder()}/${leaderEpochFile}`,
      encodeEpochs(this.epochs.entries()),
    );
  }

  #startMoved(): void {
    if (this.epochs.truncateStart(this.log.startOffset)) this.#persistEpochs();
  }

  #mustFlushNow(): boolean {
    return (
      this.config.flush.mode === "group" ||
      this.log.endOffset - this.log.recoveryPoint >= this.config.flushMessages
    );
  }

  #durable(appended: Appended): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#durabilityWaiters.push({
        nextOffset: appended.nextOffset,
        settle: (error) => (error ? reject(error) : resolve(appended)),
      });
    });
  }

  /** Settles those whose records are durable, or all of them with `error`; returns how many. */
  #settle(error: BrokerError | undefined): number {
    const waiters = this.#durabilityWaiters;
    const isDone = (waiter: DurabilityWaiter) =>
      error !== undefined || waiter.nextOffset <= this.log.recoveryPoint;
    this.#durabilityWaiters = waiters.filter((waiter) => !isDone(waiter));
    const done = waiters.filter(isDone);
    for (const waiter of done) waiter.settle(error);
    return done.length;
  }

  #advance(offset: number): void {
    if (offset <= this.#highWatermark) return;
    this.#highWatermark = offset;
    this.#wake();
  }

  #wake(): void {
    for (const changed of [...this.#watchers]) changed();
  }

  #writeFailed(cause: unknown): BrokerError {
    if (!(cause instanceof StorageError)) throw cause;
    if (cause.fault !== "full") return this.#host.fail(cause);
    return new BrokerError("KAFKA_STORAGE_ERROR", cause.message, { cause });
  }

  #flushFailed(cause: unknown): void {
    const error =
      cause instanceof StorageError
        ? cause
        : new StorageError("failed", `cannot sync ${this.topic}-${this.partition}`, { cause });
    this.#host.fail(error);
  }
}
