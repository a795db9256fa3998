// Upkeep of one partition's log: what leaves it at its start, in its middle and at its end, the file of its leader
// epochs, and whether a clean close has something to persist. Called by `partition.ts` only, which decides.

import { BrokerError } from "../errors.ts";
import { StorageError } from "../storage/storage.ts";
import type { WriteTarget } from "./batch-writer.ts";
import { encodeEpochs } from "./checkpoints.ts";
import { restateFence } from "./fence.ts";
import { leaderEpochFile } from "./log-files.ts";
import type { Partition } from "./partition.ts";
import type { PartitionHost } from "./partition-host.ts";
import { segmentsToDrop } from "./retention.ts";
import type { Segment } from "./segment.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

export class PartitionUpkeep {
  readonly #host: PartitionHost;
  readonly #target: WriteTarget;
  readonly #partition: Partition;
  #epochsBehindFrom = Infinity;
  #isClosed = false;
  /** Something was dropped, rebuilt or copied that a clean close has to persist. */
  isDirty: boolean;

  constructor(host: PartitionHost, partition: Partition, isDirty: boolean) {
    this.#host = host;
    this.#target = partition;
    this.#partition = partition;
    this.isDirty = isDirty;
  }

  /** From there on the epochs' file may lack something. */
  get epochsBehindFrom(): number {
    return this.#epochsBehindFrom;
  }

  /** The file of leader epochs is behind; it is written soon, not now: a new leader has many partitions. */
  epochsChangedFrom(offset: number): void {
    this.#epochsBehindFrom = Math.min(this.#epochsBehindFrom, offset);
    this.#host.epochsChanged(this.#partition);
  }

  persistEpochs(): void {
    const { log, epochs } = this.#target;
    const { storage, folder } = log.place;
    storage.writeFile(`${folder()}/${leaderEpochFile}`, encodeEpochs(epochs.entries()));
    this.#epochsBehindFrom = Infinity;
  }

  /** A person's or a program's wish: -1 is everything that is committed. Returns the new start. */
  deleteRecords(offset: number, highWatermark: number): number {
    const { log } = this.#target;
    const target = offset === -1 ? highWatermark : offset;
    if (target > highWatermark || target < 0) {
      const what = `cannot delete up to ${target}: the high watermark is ${highWatermark}`;
      throw new BrokerError("OFFSET_OUT_OF_RANGE", what);
    }
    if (this.raiseStart(target)) this.#host.startOffsetMoved();
    return log.startOffset;
  }

  /** True: the log starts later now. */
  raiseStart(offset: number): boolean {
    const { log } = this.#target;
    if (offset <= log.startOffset) return false;
    log.moveStartOffset(offset);
    this.#startMoved();
    return true;
  }

  /** Returns the bytes that left. */
  applyRetention(nowMs: number, stableOffset: number): number {
    const { log, config } = this.#target;
    const { retentionMs, retentionBytes, cleanupPolicy } = config;
    const rules = {
      retentionMs: cleanupPolicy.delete ? retentionMs : -1,
      retentionBytes: cleanupPolicy.delete ? retentionBytes : -1,
      logStartOffset: log.startOffset,
      endOffset: log.endOffset,
      stableOffset,
    };
    const count = segmentsToDrop(log.segments, rules, nowMs);
    if (count === 0) return 0;
    const { bytes, segments } = log.dropOldest(count, nowMs);
    this.#startMoved();
    this.isDirty = true;
    this.#removeLater(segments);
    return bytes;
  }

  replaceSegments(
    old: readonly Segment[],
    cleaned: Segment,
    aborted: readonly AbortedTransaction[],
  ): boolean {
    if (!this.#changeFiles(() => this.#target.log.replace(old, cleaned, aborted))) return false;
    this.isDirty = true;
    this.#removeLater(old);
    return true;
  }

  /** `cut` takes segments away at the end of the log, or all of them. */
  cut(cut: () => readonly Segment[]): void {
    const left = this.#changeFiles(cut);
    this.isDirty = true;
    this.#removeLater(left);
    const { log, epochs } = this.#target;
    const hasEnded = epochs.truncateEnd(log.endOffset);
    const hasBegun = epochs.truncateStart(log.startOffset);
    if (hasEnded || hasBegun) this.epochsChangedFrom(log.endOffset);
  }

  close(): void {
    this.#isClosed = true;
  }

  #startMoved(): void {
    if (this.#target.epochs.truncateStart(this.#target.log.startOffset)) this.persistEpochs();
    restateFence(this.#partition);
  }

  /** Where it fails, files are between two names: only a start can tell which are the log. */
  #changeFiles<T>(change: () => T): T {
    try {
      return change();
    } catch (cause) {
      if (cause instanceof StorageError) throw this.#host.fail(cause);
      throw cause;
    }
  }

  #removeLater(segments: readonly Segment[]): void {
    const { log, config } = this.#target;
    for (const segment of segments) {
      this.#host.clock.after(config.fileDeleteDelayMs, () => {
        if (!this.#isClosed) log.removeLeaving(segment);
      });
    }
  }
}
