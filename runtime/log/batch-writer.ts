// Batch writer: from a producer's bytes to a stamped batch in the log: checks, duplicates, transactions, the
// rewriting a topic may demand, leader epochs. One per partition; called by `partition.ts` only, which decides when
// the batch is acknowledged and seen.

import type { Address } from "../../storage-wasm/core.ts";
import type { Appended } from "../broker.ts";
import type { TopicConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import { StorageError } from "../storage/storage.ts";
import type { TopicTraffic } from "../telemetry/metrics.ts";
import {
  checkBatch,
  checkTimestamps,
  codecDemanded,
  placeKnown,
  recompress,
} from "./append-checks.ts";
import { type ControlRecord, encodeMarker, type TransactionMarker } from "./control-record.ts";
import type { LeaderEpochs } from "./leader-epochs.ts";
import type { LocalLog } from "./local-log.ts";
import type { PartitionHost } from "./partition-host.ts";

/** What is written to, with the settings of the moment. */
export interface WriteTarget {
  readonly topic: string;
  readonly partition: number;
  readonly log: LocalLog;
  readonly epochs: LeaderEpochs;
  readonly config: TopicConfig;
  readonly decompressedBytesMax: number;
  readonly leaderEpoch: number;
  persistEpochs(): void;
}

/** Of so many producers it is known that a full disk refused them a batch. */
const turnedAwayMax = 1_000;

export class BatchWriter {
  readonly #host: PartitionHost;
  readonly #target: WriteTarget;
  readonly #traffic: TopicTraffic;
  /** Producers whose last batch found no room. */
  readonly #turnedAway = new Set<number>();
  /** Something was written that a clean close has to persist. */
  hasWritten = false;

  constructor(host: PartitionHost, target: WriteTarget, traffic: TopicTraffic) {
    this.#host = host;
    this.#target = target;
    this.#traffic = traffic;
  }

  /** A producer's batch. A repeated one is answered with its first offset and not written again. */
  write(batch: Uint8Array, options: { isVerified?: boolean; isOwn?: boolean }): Appended {
    const { core, clock } = this.#host;
    const nowMs = clock.nowMs();
    const { isOwn = false, isVerified = isOwn } = options;
    let at = isOwn ? placeKnown(core, batch) : this.#check(batch, nowMs);
    let { length } = batch;
    const duplicateOf = core.header.producerId < 0 ? undefined : this.#duplicate();
    if (duplicateOf !== undefined) return this.#answer(duplicateOf, core.header.count, -1);
    this.#checkTransaction(isVerified);
    const codec = codecDemanded(core.header, this.#target.config);
    if (codec !== undefined) {
      const { decompressedBytesMax } = this.#target;
      const levels = this.#target.config.compressionLevels;
      const options = { codec, levels, decompressedBytesMax };
      const other = recompress(core, this.#host.codecs, batch, options);
      at = placeKnown(core, other);
      length = other.length;
    }
    return this.#store(at, length, { nowMs });
  }

  writeMarker(marker: TransactionMarker): Appended {
    this.#target.log.producers.checkMarker(marker);
    const { core, clock } = this.#host;
    const nowMs = clock.nowMs();
    const batch = encodeMarker(core, marker, nowMs);
    const { coordinatorEpoch, isCommit } = marker;
    const control: ControlRecord = { type: isCommit ? "commit" : "abort", coordinatorEpoch };
    return this.#store(placeKnown(core, batch), batch.length, { nowMs, control });
  }

  /** Stamps and writes the batch at `at` in the core's memory, which `core.header` describes. */
  #store(
    at: Address,
    length: number,
    { nowMs, control }: { nowMs: number; control?: ControlRecord },
  ): Appended {
    const { core } = this.#host;
    const header = { ...core.header };
    const isAppendTime = this.#target.config.messageTimestampType === "LogAppendTime";
    if (isAppendTime) {
      core.stampAppendTime(at, length, nowMs);
      header.maxTimestamp = nowMs;
    }
    header.baseOffset = this.#target.log.endOffset;
    header.lastOffset = this.#target.log.endOffset + header.count - 1;
    header.leaderEpoch = this.#target.leaderEpoch;
    core.stamp(at, header.baseOffset, header.leaderEpoch);
    try {
      this.#noteEpoch(header.baseOffset);
      const { log, config } = this.#target;
      log.rollIfFull(header, config, nowMs);
      // Only now: a new segment takes memory for its indexes, and a view from before would be empty.
      log.append(core.bytes(at, length), header, config, control);
    } catch (cause) {
      throw this.#writeFailed(cause, header.producerId);
    }
    this.hasWritten = true;
    this.#turnedAway.delete(header.producerId);
    this.#count(header.count, length);
    return this.#answer(header.baseOffset, header.count, isAppendTime ? nowMs : -1);
  }

  /** Where the batch lies in the core's memory. */
  #check(batch: Uint8Array, nowMs: number): Address {
    const { core, metrics } = this.#host;
    let at: Address;
    try {
      at = checkBatch(this.#host, batch, this.#target.config, this.#target.decompressedBytesMax);
    } catch (error) {
      if (error instanceof BrokerError && error.code === "CORRUPT_MESSAGE") {
        metrics.log.corruptBatches++;
      }
      throw error;
    }
    checkTimestamps(core.header, this.#target.config, nowMs);
    return at;
  }

  #checkTransaction(isVerified: boolean): void {
    const { header } = this.#host.core;
    const { producers } = this.#target.log;
    producers.checkTransaction(header);
    if (!header.isTransactional || isVerified) return;
    if (producers.isInTransaction(header.producerId, header.producerEpoch)) return;
    throw new BrokerError(
      "INVALID_TXN_STATE",
      `producer ${header.producerId} has no transaction open on ${this.#target.topic}-${this.#target.partition}`,
    );
  }

  #count(records: number, bytes: number): void {
    this.#traffic.batchesIn++;
    this.#traffic.recordsIn += records;
    this.#traffic.bytesIn += bytes;
    this.#host.metrics.log.batchSizeBytes.observe(bytes);
  }

  /**
   * What was sent behind a batch that found no room is refused as that one was. Out of order would be true as well, but
   * tells librdkafka to begin a new epoch, in which it repeats what other partitions may have.
   */
  #duplicate(): number | undefined {
    const { header } = this.#host.core;
    try {
      return this.#target.log.producers.duplicateOf(header);
    } catch (cause) {
      const isBehind = this.#turnedAway.has(header.producerId) && cause instanceof BrokerError;
      if (!isBehind || cause.code !== "OUT_OF_ORDER_SEQUENCE_NUMBER") throw cause;
      const what = `a batch of producer ${header.producerId} before this one found no room`;
      throw new BrokerError("KAFKA_STORAGE_ERROR", what, { cause });
    }
  }

  #answer(baseOffset: number, count: number, logAppendTimeMs: number): Appended {
    return {
      baseOffset,
      logAppendTimeMs,
      logStartOffset: this.#target.log.startOffset,
      nextOffset: baseOffset + count,
    };
  }

  #noteEpoch(startOffset: number): void {
    if (this.#target.epochs.latest() === this.#target.leaderEpoch) return;
    if (this.#target.epochs.assign(this.#target.leaderEpoch, startOffset))
      this.#target.persistEpochs();
  }

  #writeFailed(cause: unknown, producerId: number): BrokerError {
    if (!(cause instanceof StorageError)) throw cause;
    if (cause.fault !== "full") return this.#host.fail(cause);
    if (this.#turnedAway.size >= turnedAwayMax) this.#turnedAway.clear();
    this.#turnedAway.add(producerId);
    return new BrokerError("KAFKA_STORAGE_ERROR", cause.message, { cause });
  }
}
