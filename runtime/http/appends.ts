// Appends: the batches of one produce request that are on their way into the log. Keeps their order, bounds
// how many are under way, and keeps account of what was stored, for answers and for errors alike.

import type { Appended, AppendRequest, TopicPartition } from "../broker.ts";
import type { Door } from "./route.ts";

export interface AppendOptions {
  readonly topic: string;
  readonly acks: AppendRequest["acks"];
  readonly timeoutMs: number;
  /** Of the first batch; the others follow it without a gap. Of one partition, as the fence. */
  readonly expectedOffset?: number | undefined;
  readonly fence?: number | undefined;
}

/** One batch to be stored. `firstIndex` counts the request's records, lines or batches, as the caller does. */
export interface OutgoingBatch {
  readonly partition: number;
  readonly bytes: Uint8Array;
  readonly recordCount: number;
  /** Of the last record. */
  readonly timestampMs: number;
  readonly firstIndex: number;
}

export interface PartitionSum {
  readonly partition: number;
  readonly start_offset: number;
  readonly end_offset: number;
  readonly tail_offset: number;
  readonly record_count: number;
  readonly timestamp: number;
  readonly log_start_offset: number;
}

/** What a request stored, as answers tell it. */
export interface StoredSummary {
  readonly topic: string;
  readonly record_count: number;
  readonly partitions: readonly PartitionSum[];
}

export interface Failure {
  readonly error: unknown;
  /** `firstIndex` of the batch that failed first. */
  readonly index: number;
}

export class Appends {
  readonly #door: Door;
  readonly #options: AppendOptions;
  readonly #underWay = new Set<Promise<void>>();
  readonly #sums = new Map<number, PartitionSum>();
  #failure: Failure | null = null;
  #expectedOffset: number | undefined;

  constructor(door: Door, options: AppendOptions) {
    this.#door = door;
    this.#options = options;
    this.#expectedOffset = options.expectedOffset;
  }

  /** What went wrong first. */
  get failure(): Failure | null {
    return this.#failure;
  }

  /** Whether the caller should await `room` before it sends more. */
  get isFull(): boolean {
    return this.#underWay.size >= this.#door.config.limits.appendsMax;
  }

  /** Appends a batch without waiting; `stored` is called once it is. After a failure nothing is sent: it would store an order with a hole. */
  send(batch: OutgoingBatch, stored?: (appended: Appended) => void): void {
    if (this.#failure !== null) return;
    const { topic, acks, timeoutMs, fence } = this.#options;
    const { partition, bytes } = batch;
    const expectedOffset = this.#expectedOffset;
    if (expectedOffset !== undefined) this.#expectedOffset = expectedOffset + batch.recordCount;
    try {
      const appended = this.#door.broker.append({
        topic,
        partition,
        batch: bytes,
        acks,
        timeoutMs,
        expectedOffset,
        fence,
      });
      if (!(appended instanceof Promise)) {
        this.#add(batch, appended);
        stored?.(appended);
        return;
      }
      const underWay: Promise<void> = appended
        .then((result) => {
          this.#add(batch, result);
          stored?.(result);
        })
        .catch((error: unknown) => this.fail(error, batch.firstIndex))
        .finally(() => this.#underWay.delete(underWay));
      this.#underWay.add(underWay);
    } catch (error) {
      this.fail(error, batch.firstIndex);
    }
  }

  /** Notes a failure; the one with the lowest index is told. */
  fail(error: unknown, index: number): void {
    if (this.#failure === null || index < this.#failure.index) this.#failure = { error, index };
  }

  /** Resolves when fewer appends are under way than the limit. */
  async room(): Promise<void> {
    while (this.isFull) await Promise.race(this.#underWay);
  }

  /** Resolves when every append has ended, well or not. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.race(this.#underWay);
  }

  summary(): StoredSummary {
    const partitions = [...this.#sums.values()].sort((a, b) => a.partition - b.partition);
    const record_count = partitions.reduce((sum, each) => sum + each.record_count, 0);
    return { topic: this.#options.topic, record_count, partitions };
  }

  #add(batch: OutgoingBatch, appended: Appended): void {
    const { partition, recordCount } = batch;
    const before = this.#sums.get(partition);
    this.#sums.set(partition, {
      partition,
      start_offset: before?.start_offset ?? appended.baseOffset,
      end_offset: appended.nextOffset,
      tail_offset: tailOffset(this.#door, { topic: this.#options.topic, partition }, appended),
      record_count: (before?.record_count ?? 0) + recordCount,
      timestamp: storedTimeMs(appended, batch.timestampMs),
      log_start_offset: appended.logStartOffset,
    });
  }
}

/** Where the partition ends by now; beyond the batch if others wrote meanwhile. */
export function tailOffset(
  { broker }: Pick<Door, "broker">,
  place: TopicPartition,
  { nextOffset }: Appended,
): number {
  return Math.max(nextOffset, broker.endOffset(place) ?? nextOffset);
}

/** The time a record was stored with: its own, or the broker's where the topic says so. */
export function storedTimeMs(appended: Appended, timestampMs: number): number {
  return appended.logAppendTimeMs === -1 ? timestampMs : appended.logAppendTimeMs;
}
