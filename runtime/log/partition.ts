// Partition: the one owner of one log. Every change passes through it; it decides what a batch must be, when
// an append is acknowledged, and up to where readers may see. Where other brokers have copies, it follows a leader
// or asks its `LeaderRole`. Called by `local-broker.ts`, the log folder and `replication/`.

import type { Appended, ProducerView } from "../broker.ts";
import type { TopicConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import { noRecords, type Records } from "../records.ts";
import { StorageError } from "../storage/storage.ts";
import type { TopicTraffic } from "../telemetry/metrics.ts";
import { BatchWriter } from "./batch-writer.ts";
import type { TransactionMarker } from "./control-record.ts";
import { DurabilityWaits } from "./durability-waits.ts";
import type { Flushable } from "./flusher.ts";
import { appendFromLeader } from "./follower-writer.ts";
import type { LeaderEpochs } from "./leader-epochs.ts";
import type { LocalLog } from "./local-log.ts";
import {
  type AppendOptions,
  type LeaderRole,
  outOfRange,
  type PartitionHost,
  type PartitionOptions,
  type ReadOptions,
} from "./partition-host.ts";
import { PartitionUpkeep } from "./partition-upkeep.ts";
import type { Segment } from "./segment.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

const nobody: Set<() => void> = new Set();

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
  readonly #upkeep: PartitionUpkeep;
  /** Called whenever readers can see more, or the partition went away: they look again. */
  readonly #watchers = new Set<() => void>();
  /** Called whenever other replicas can see more; nobody's while there are none. */
  #endWatchers: Set<() => void> = nobody;
  /** Undefined: no other broker has a copy. */
  #role: LeaderRole | "follower" | undefined;
  /** What appends are told while another broker leads. */
  #notLeader: BrokerError | undefined;
  readonly #waits = new DurabilityWaits();
  #highWatermark: number;
  #leaderEpoch: number;
  #lastFlushMs: number;

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
    this.#upkeep = new PartitionUpkeep(host, this, options.wasRecovered);
    this.#writer = new BatchWriter(host, this, this.#traffic);
    const { startOffset, endOffset } = options.log;
    const known = Math.max(startOffset, options.highWatermark ?? endOffset);
    this.#highWatermark = Math.min(known, endOffset);
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

  get isReplicated(): boolean {
    return this.#role !== undefined;
  }

  get isLeader(): boolean {
    return this.#notLeader === undefined;
  }

  /** False: a new leader does not know yet how far its readers have been allowed to read before. */
  get isSettled(): boolean {
    return this.#role === undefined || this.#role === "follower" || this.#role.isSettled;
  }

  /** From there on the epochs' file may lack something: a start after a crash must read the log. */
  get epochsBehindFrom(): number {
    return this.#upkeep.epochsBehindFrom;
  }

  /**
   * Checks, stamps and writes one batch now; answers when it is as durable as the topic promises. `batch` is
   * read before this returns. Throws or rejects with `BrokerError`; then nothing was appended, or for a
   * failed sync, nobody knows.
   */
  append(batch: Uint8Array, options: AppendOptions): Appended | Promise<Appended> {
    this.#checkAppend(options);
    return this.#promised(this.#writer.write(batch, options), options);
  }

  /** Ends a producer's transaction here. Also without one: then it only raises the producer's epoch. */
  appendMarker(marker: TransactionMarker): Appended | Promise<Appended> {
    const options = { waits: true };
    this.#checkAppend(options);
    return this.#promised(this.#writer.writeMarker(marker), options);
  }

  // ---- several replicas ----

  /** Leads from now on, alone if there is no `role`. Followers will ask where earlier epochs ended. */
  lead(role: LeaderRole | undefined): void {
    this.#role = role;
    this.#notLeader = undefined;
    if (role !== undefined && this.epochs.assign(this.#leaderEpoch, this.log.endOffset)) {
      this.#upkeep.epochsChangedFrom(this.log.endOffset);
    }
    this.#ownEndMoved(this.durableEnd);
    if (this.durableEnd < this.log.endOffset) this.#host.flusher.request(this);
    this.#wake();
  }

  /** Another broker leads, or none: appends, and those who wait for one, are told `notLeader`. */
  follow(notLeader: BrokerError): void {
    this.#role = "follower";
    this.#notLeader = notLeader;
    // An epoch of its own in which it wrote nothing is nobody's.
    const { endOffset } = this.log;
    if (this.epochs.truncateEnd(endOffset)) this.#upkeep.epochsChangedFrom(endOffset);
    this.#waits.fail(notLeader);
    if (this.durableEnd < this.log.endOffset) this.#host.flusher.request(this);
    this.#wake();
  }

  /** Up to where this copy counts as one: under flush=group what is synced. */
  get durableEnd(): number {
    const { recoveryPoint, endOffset } = this.log;
    return this.config.flush.mode === "group" ? Math.min(recoveryPoint, endOffset) : endOffset;
  }

  /** Adds whole batches as the leader has them. Resolves, or returns, when they count. */
  appendAsFollower(chunk: Uint8Array): void | Promise<void> {
    if (this.fault) throw this.fault;
    this.#upkeep.isDirty = true;
    appendFromLeader(this.#host, this, chunk, (offset) => this.#upkeep.epochsChangedFrom(offset));
    const nextOffset = this.log.endOffset;
    if (nextOffset <= this.durableEnd) return;
    this.#host.flusher.request(this);
    const appended = { baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1, nextOffset };
    return this.#waits.until(appended).then(() => {});
  }

  /** Takes away what the leader does not have: everything at or above `offset`. */
  truncate(offset: number): void {
    if (this.fault) throw this.fault;
    this.#cut(() => this.log.truncate(offset));
  }

  /** Forgets everything, and goes on at the leader's log start. */
  restartAt(offset: number): void {
    if (this.fault) throw this.fault;
    this.#cut(() => this.log.restart(offset, this.#host.clock.nowMs()));
  }

  /** Everything below it is on all in-sync replicas. Never goes back, never beyond this log. */
  raiseHighWatermark(offset: number): void {
    this.#advance(Math.min(offset, this.log.endOffset));
  }

  /** The leader's log starts there now. */
  raiseStartOffset(offset: number): void {
    this.#upkeep.raiseStart(Math.min(offset, this.#highWatermark));
  }

  persistEpochs(): void {
    this.#upkeep.persistEpochs();
  }

  /** As `read`, for another replica: up to the end of the log. */
  readAsReplica(options: ReadOptions): Records {
    if (this.fault) throw this.fault;
    const { startOffset, endOffset } = this.log;
    const { offset } = options;
    if (offset < startOffset || offset > endOffset) throw outOfRange(this, offset);
    return this.log.read({ ...options, endOffset }) ?? noRecords;
  }

  /** Undefined: there is nothing to read at `offset` yet. Throws OFFSET_OUT_OF_RANGE. */
  read(options: ReadOptions): Records {
    this.#checkOffset(options);
    const { offset, bytesMax, atLeastOneBatch } = options;
    const endOffset = this.#highWatermark;
    return this.log.read({ offset, endOffset, bytesMax, atLeastOneBatch }) ?? noRecords;
  }

  /** Only what is decided; `aborted` are the transactions in it that its reader must skip. */
  readCommitted(options: ReadOptions): { records: Records; aborted: AbortedTransaction[] } {
    this.#checkOffset(options);
    const endOffset = this.lastStableOffset;
    const records = this.log.read({ ...options, endOffset });
    if (records === undefined) return { records: noRecords, aborted: [] };
    return { records, aborted: this.log.abortedIn(records, options.offset, endOffset) };
  }

  #checkOffset(options: ReadOptions): void {
    if (this.fault) throw this.fault;
    const { offset } = options;
    if (offset < this.log.startOffset) throw outOfRange(this, options.offset);
    if (offset <= this.#highWatermark) return;
    if (this.#role === "follower") {
      const what = `this follower of ${this.topic}-${this.partition} is not there yet`;
      throw new BrokerError("OFFSET_NOT_AVAILABLE", `offset ${offset}: ${what}`);
    }
    // A new leader may not know yet how far its readers have been allowed to read.
    if (offset > this.log.endOffset) throw outOfRange(this, options.offset);
  }

  /** Bytes handed to a reader: counted when they leave, not when they were looked for. */
  countRead(bytes: number): void {
    this.#traffic.bytesOut += bytes;
  }

  /** Runs `changed` when there may be more to read, for other replicas as well; returns how to stop that. */
  watch(changed: () => void, options?: { asReplica: boolean }): () => void {
    if (options?.asReplica && this.#endWatchers === nobody) this.#endWatchers = new Set();
    const watchers = options?.asReplica ? this.#endWatchers : this.#watchers;
    watchers.add(changed);
    return () => watchers.delete(changed);
  }

  async flush(): Promise<void> {
    // After a failed sync the next one may do nothing and still be fine: what it had to write is forgotten.
    if (this.fault) return;
    const startedMs = this.#host.clock.monotonicMs();
    try {
      await this.log.flush();
    } catch (cause) {
      // Taken away meanwhile, as when its replica moves: whoever waited was told, and no disk is broken.
      if (this.fault === undefined) this.#flushFailed(cause);
      return;
    }
    this.#lastFlushMs = this.#host.clock.monotonicMs();
    const acknowledged = this.#waits.settle(this.log.recoveryPoint);
    this.#host.metrics.log.fsyncDuration.observeMs(this.#lastFlushMs - startedMs);
    this.#host.metrics.log.fsyncBatchAcks.observe(acknowledged);
    this.#ownEndMoved(Math.min(this.log.recoveryPoint, this.log.endOffset));
  }

  /** Moves the log start; -1 means the high watermark. Returns the new start. */
  deleteRecords(offset: number): number {
    if (this.fault ?? this.#notLeader) throw this.fault ?? this.#notLeader;
    return this.#upkeep.deleteRecords(offset, this.#highWatermark);
  }

  /** Drops what retention no longer keeps. Returns the bytes that left. */
  applyRetention(nowMs: number): number {
    return this.fault ? 0 : this.#upkeep.applyRetention(nowMs, this.lastStableOffset);
  }

  /** Compaction: a cleaned segment for neighbours. False when they are no longer all there. */
  replaceSegments(
    old: readonly Segment[],
    cleaned: Segment,
    aborted: readonly AbortedTransaction[],
  ): boolean {
    if (this.fault) throw this.fault;
    return this.#upkeep.replaceSegments(old, cleaned, aborted);
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
    return this.log.producers.views();
  }

  /** Ends all waits with `error`; nothing is taken or served from now on. */
  takeOffline(error: BrokerError): void {
    this.fault = error;
    this.#waits.fail(error);
    if (typeof this.#role === "object") this.#role.resign(error);
    this.#wake();
  }

  /** Clean close: everything durable, indexes and snapshot in their files. */
  async close(): Promise<void> {
    if (this.fault === undefined) {
      await this.flush();
      if (this.epochsBehindFrom < Infinity && this.fault === undefined) this.persistEpochs();
      if ((this.#upkeep.isDirty || this.#writer.hasWritten) && this.fault === undefined)
        this.log.persist();
      this.log.removeAllLeaving();
    }
    this.abandon();
  }

  /** Close without writing anything: the topic is being deleted, or the directory failed. */
  abandon(): void {
    this.#upkeep.close();
    this.takeOffline(
      this.fault ??
        new BrokerError("NOT_LEADER_OR_FOLLOWER", `${this.topic}-${this.partition} is closed`),
    );
    this.log.close();
  }

  #checkAppend(options: AppendOptions): void {
    if (this.fault) throw this.fault;
    if (this.#role === undefined) return;
    if (this.#notLeader !== undefined) throw this.#notLeader;
    if (this.#role !== "follower" && options.acks !== "leader") this.#role.checkInSync();
  }

  #promised(appended: Appended, options: AppendOptions): Appended | Promise<Appended> {
    const mustFlush = this.#mustFlushNow();
    const flushes = mustFlush && appended.nextOffset > this.log.recoveryPoint;
    if (flushes) this.#host.flusher.request(this);
    else if (!mustFlush) this.#ownEndMoved(this.log.endOffset);
    const role = this.#role;
    if (role !== undefined) {
      for (const changed of [...this.#endWatchers]) changed();
      if (options.waits && options.acks !== "leader" && role !== "follower") {
        return role.replicated(appended, options.timeoutMs);
      }
    }
    return flushes && options.waits ? this.#waits.until(appended) : appended;
  }

  #ownEndMoved(offset: number): void {
    if (this.#role === undefined) this.#advance(offset);
    else if (this.#role !== "follower") this.#role.ownEndMoved(offset);
  }

  #cut(cut: () => readonly Segment[]): void {
    this.#upkeep.cut(cut);
    const { startOffset, endOffset } = this.log;
    this.#highWatermark = Math.max(startOffset, Math.min(this.#highWatermark, endOffset));
    this.log.producers.transactions.reveal(this.#highWatermark);
    this.#wake();
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
    // Replicas hear of every append; here of what ended.
    if (!(this.fault ?? this.#notLeader)) return;
    for (const changed of [...this.#endWatchers]) changed();
  }

  #flushFailed(cause: unknown): void {
    const what = `cannot sync ${this.topic}-${this.partition}`;
    const isKnown = cause instanceof StorageError;
    this.#host.fail(isKnown ? cause : new StorageError("failed", what, { cause }));
  }
}
