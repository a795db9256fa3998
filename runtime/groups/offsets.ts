// Committed offsets of one group: those that count, and those that transactions hold back until they end. Pure;
// `coordinator.ts` persists every change first and replays them here at start.

import type { TopicPartition } from "../broker.ts";
import type { CommittedOffset } from "./group-records.ts";

/** A committed offset and where its record stands: the later record wins, also when transactions end late. */
interface Entry {
  readonly value: CommittedOffset;
  readonly recordOffset: number;
}

type ByPartition = Map<number, Entry>;
type ByTopic = Map<string, ByPartition>;

export class GroupOffsets {
  readonly #topics: ByTopic = new Map();
  /** By producer id. */
  readonly #pending = new Map<number, ByTopic>();
  #count = 0;

  /** Partitions with a committed offset. */
  get size(): number {
    return this.#count;
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  get({ topic, partition }: TopicPartition): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition)?.value;
  }

  set(topic: string, partition: number, value: CommittedOffset, recordOffset = -1): void {
    const partitions = partitionsOf(this.#topics, topic);
    if (!partitions.has(partition)) this.#count++;
    partitions.set(partition, { value, recordOffset });
  }

  delete({ topic, partition }: TopicPartition): boolean {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined || !partitions.delete(partition)) return false;
    this.#count--;
    if (partitions.size === 0) this.#topics.delete(topic);
    return true;
  }

  *entries(): Generator<TopicPartition & { value: CommittedOffset }> {
    for (const [topic, partitions] of this.#topics) {
      for (const [partition, { value }] of partitions) yield { topic, partition, value };
    }
  }

  /** The topics a group has offsets of. */
  topics(): Iterable<string> {
    return this.#topics.keys();
  }

  // ---- offsets inside transactions (TxnOffsetCommit) ----

  /** Holds an offset back until the producer's transaction ends. */
  addPending(
    producerId: number,
    place: TopicPartition,
    value: CommittedOffset,
    recordOffset = -1,
  ): void {
    let topics = this.#pending.get(producerId);
    if (topics === undefined) {
      topics = new Map();
      this.#pending.set(producerId, topics);
    }
    partitionsOf(topics, place.topic).set(place.partition, { value, recordOffset });
  }

  /** The transaction's end: its offsets count, unless a later commit did already, or are dropped. */
  endTransaction(producerId: number, outcome: "commit" | "abort"): void {
    const topics = this.#pending.get(producerId);
    this.#pending.delete(producerId);
    if (topics === undefined || outcome === "abort") return;
    for (const [topic, partitions] of topics) {
      for (const [partition, entry] of partitions) {
        const present = this.#topics.get(topic)?.get(partition);
        if (present !== undefined && present.recordOffset > entry.recordOffset) continue;
        this.set(topic, partition, entry.value, entry.recordOffset);
      }
    }
  }

  isPending({ topic, partition }: TopicPartition): boolean {
    for (const topics of this.#pending.values()) {
      if (topics.get(topic)?.has(partition)) return true;
    }
    return false;
  }

  // ---- expiry ----

  /**
   * Partitions whose offsets are no longer kept. `idleSinceMs`: when the group lost its last member; undefined
   * where only the commit's own time counts. Topics in `subscribed` are kept.
   */
  expired(rules: {
    nowMs: number;
    retentionMs: number;
    idleSinceMs: number | undefined;
    subscribed: ReadonlySet<string> | undefined;
  }): TopicPartition[] {
    const { nowMs, retentionMs, idleSinceMs, subscribed } = rules;
    const gone: TopicPartition[] = [];
    for (const { topic, partition, value } of this.entries()) {
      if (subscribed?.has(topic) || this.isPending({ topic, partition })) continue;
      const sinceMs = Math.max(value.commitTimestampMs, idleSinceMs ?? 0);
      const expiresMs =
        value.expireTimestampMs >= 0 ? value.expireTimestampMs : sinceMs + retentionMs;
      if (nowMs >= expiresMs) gone.push({ topic, partition });
    }
    return gone;
  }
}

function partitionsOf(topics: ByTopic, topic: string): ByPartition {
  let partitions = topics.get(topic);
  if (partitions === undefined) {
    partitions = new Map();
    topics.set(topic, partitions);
  }
  return partitions;
}
