// Cleaning one log (compaction): the offsets of the newest records of all dirty keys go into a map, then every
// segment up to there is written anew without what is outdated, and swapped in. Reads and appends go on meanwhile;
// a stop at any point loses nothing. Called by `cleaner.ts`.

import type { BatchHeader, Core, KeyMap } from "../../storage-wasm/core.ts";
import { BrokerError } from "../errors.ts";
import type { Clock, Codecs, Random } from "../platform.ts";
import { BatchFilter, type Fate, placeRecords } from "./batch-filter.ts";
import { visitBatches } from "./batch-stream.ts";
import { CleanedSegment } from "./cleaned-segment.ts";
import { type CompactionPlan, groupSegments } from "./compaction-plan.ts";
import { CompactionTransactions } from "./compaction-transactions.ts";
import type { Partition } from "./partition.ts";
import type { Segment } from "./segment.ts";

const seedBytes = 16;

export interface CompactionParts {
  readonly core: Core;
  readonly codecs: Codecs;
  readonly clock: Clock;
  readonly random: Random;
  /** Core memory for the map of keys. */
  readonly mapBytesMax: number;
  /** Before the first segment is replaced: from then on there may be holes between segments that begin up to there. */
  readonly holesUpTo: (endOffset: number) => void;
  /** Awaited after each piece of work; throws to end it all. */
  readonly rest: (work: Work) => Promise<void>;
}

/** What a piece of work moved. */
export interface Work {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

export interface Compacted {
  /** Up to here the log is clean. */
  readonly endOffset: number;
  readonly bytesRead: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly keys: number;
}

/** Undefined when the segments went away meanwhile. */
export async function compactLog(
  parts: CompactionParts,
  partition: Partition,
  plan: CompactionPlan,
): Promise<Compacted | undefined> {
  const run = new CompactionRun(parts, partition, plan);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

class CompactionRun {
  readonly #parts: CompactionParts;
  readonly #partition: Partition;
  readonly #plan: CompactionPlan;
  readonly #map: KeyMap;
  /** Kept from being removed while they are read. */
  readonly #held: Segment[];
  /** Last data offset and epoch of each producer: its last batch must stay, if empty. */
  readonly #producers: ReadonlyMap<number, { lastOffset: number; producerEpoch: number }>;
  #bytesRead = 0;
  /** Since the last rest. */
  #bytesWritten = 0;

  constructor(parts: CompactionParts, partition: Partition, plan: CompactionPlan) {
    this.#parts = parts;
    this.#partition = partition;
    this.#plan = plan;
    this.#map = parts.core.newKeyMap({
      entries: plan.endOffset - plan.firstDirtyOffset,
      bytesMax: parts.mapBytesMax,
      seed: parts.random.bytes(seedBytes),
    });
    const { log } = partition;
    this.#producers = new Map(log.producers.entries().map((each) => [each.producerId, each]));
    this.#held = log.segments.filter(({ baseOffset }) => baseOffset < plan.endOffset);
    for (const segment of this.#held) segment.hold();
  }

  close(): void {
    this.#map.free();
    for (const segment of this.#held) segment.release();
  }

  async run(): Promise<Compacted | undefined> {
    const { endOffset: planned } = this.#plan;
    const endOffset = await this.#fillMap();
    if (endOffset === this.#plan.firstDirtyOffset) throw this.#mapTooSmall();
    this.#map.markNewest(this.#plan.firstDirtyOffset, endOffset);
    const { segmentBytes } = this.#partition.config;
    const segments = this.#held.filter(({ baseOffset }) => baseOffset < endOffset);
    const bytesBefore = sum(segments);
    const transactions = this.#transactions(segments[0]!.baseOffset, planned);
    let bytesAfter = 0;
    this.#parts.holesUpTo(planned);
    for (const group of groupSegments(segments, { segmentBytes, endOffset: planned })) {
      const bytes = await this.#clean(group, transactions, endOffset);
      if (bytes === undefined) return undefined;
      bytesAfter += bytes;
    }
    const { entries: keys } = this.#map;
    return { endOffset, bytesRead: this.#bytesRead, bytesBefore, bytesAfter, keys };
  }

  /** Returns the offset up to which all keys are in the map. */
  async #fillMap(): Promise<number> {
    const { firstDirtyOffset, endOffset } = this.#plan;
    const transactions = this.#transactions(firstDirtyOffset, endOffset);
    let mapped = firstDirtyOffset;
    let isFull = false;
    for (const [i, segment] of this.#held.entries()) {
      const nextBase = this.#held[i + 1]?.baseOffset ?? endOffset;
      if (nextBase <= firstDirtyOffset) continue;
      const from = segment.locate(firstDirtyOffset)?.position ?? segment.bytes;
      await this.#visit(segment, from, (header, at, position) => {
        const { lastOffset } = header;
        if (header.isControl) transactions.isEmpty(header, segment.controlAt(position));
        else isFull = !transactions.isAborted(header) && !this.#mapBatch(header, at);
        if (!isFull) mapped = lastOffset + 1;
        return !isFull;
      });
      if (isFull) return mapped;
      mapped = nextBase;
    }
    return mapped;
  }

  /** False when there is no room for its keys. */
  #mapBatch(header: BatchHeader, at: number): boolean {
    const { count, baseOffset } = header;
    if (count === 0) return true;
    const { core, codecs } = this.#parts;
    const records = placeRecords(core, codecs, header, at, this.#partition.decompressedBytesMax);
    return this.#map.add(records.at, records.length, { count, baseOffset });
  }

  /** Returns the bytes of the cleaned segment; undefined when the old ones are gone. */
  async #clean(
    group: readonly Segment[],
    transactions: CompactionTransactions,
    endOffset: number,
  ): Promise<number | undefined> {
    const { log, config } = this.#partition;
    const nowMs = this.#parts.clock.nowMs();
    const filter = this.#filter(endOffset, nowMs);
    const cleaned = new CleanedSegment(log.place, group[0]!.baseOffset, {
      nowMs,
      indexIntervalBytes: config.indexIntervalBytes,
    });
    let isInLog = false;
    try {
      for (const segment of group) {
        await this.#visit(segment, 0, (header, at, position) => {
          const fate = this.#fate(segment, header, position, transactions, nowMs);
          // The round's last batch, too: without it a log that ends here would lose its end offset.
          const mustStay = header.lastOffset + 1 === endOffset || this.#isLastOfProducer(header);
          const bytes = filter.filtered(header, at, { fate, mustStay });
          if (bytes === undefined) return true;
          cleaned.add(bytes, header);
          this.#bytesWritten += bytes.length;
          return true;
        });
      }
      await cleaned.finish();
      const aborted = transactions.kept.splice(0);
      isInLog = this.#partition.replaceSegments(group, cleaned.segment, aborted);
      return isInLog ? cleaned.segment.bytes : undefined;
    } finally {
      filter.close();
      if (!isInLog) cleaned.abandon();
    }
  }

  #filter(endOffset: number, nowMs: number): BatchFilter {
    const { config, decompressedBytesMax } = this.#partition;
    return new BatchFilter(this.#parts, {
      map: this.#map,
      latestOffset: endOffset - 1,
      nowMs,
      deleteRetentionMs: config.deleteRetentionMs,
      decompressedBytesMax,
    });
  }

  #fate(
    segment: Segment,
    header: BatchHeader,
    position: number,
    transactions: CompactionTransactions,
    nowMs: number,
  ): Fate {
    if (!header.isControl) return transactions.isAborted(header) ? "drop" : "filter";
    // A marker whose record is gone stayed for its producer's epoch only.
    if (header.count === 0) return "drop";
    const isEmpty = transactions.isEmpty(header, segment.controlAt(position));
    if (!isEmpty) return "keep";
    const horizon = BatchFilter.horizon(header);
    if (horizon === undefined) return "keep-with-horizon";
    return horizon <= nowMs ? "drop" : "keep";
  }

  /** Without it the producer's sequence, or its epoch, would be forgotten by the next recovery. */
  #isLastOfProducer(header: BatchHeader): boolean {
    const last = this.#producers.get(header.producerId);
    if (last === undefined) return false;
    if (last.lastOffset >= 0) return header.lastOffset === last.lastOffset;
    return header.isControl && header.producerEpoch === last.producerEpoch;
  }

  #transactions(from: number, to: number): CompactionTransactions {
    return new CompactionTransactions(this.#partition.log.abortedBetween(from, to));
  }

  #mapTooSmall(): BrokerError {
    const { topic, partition } = this.#partition;
    return new BrokerError(
      "KAFKA_STORAGE_ERROR",
      `a batch of ${topic}-${partition} has more records than the cleaner's ${this.#map.entriesMax} keys: ` +
        "raise log.cleaner.dedupe.buffer.size",
    );
  }

  async #visit(
    segment: Segment,
    from: number,
    visit: (header: BatchHeader, at: number, position: number) => boolean,
  ): Promise<void> {
    const { core } = this.#parts;
    const rest = (readBytes: number) => {
      this.#bytesRead += readBytes;
      const writtenBytes = this.#bytesWritten;
      this.#bytesWritten = 0;
      return this.#parts.rest({ readBytes, writtenBytes });
    };
    await visitBatches({ core, rest }, segment, from, visit);
  }
}

function sum(segments: readonly Segment[]): number {
  return segments.reduce((bytes, segment) => bytes + segment.bytes, 0);
}
