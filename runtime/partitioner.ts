// Which partition a record goes to when its sender named none: by key exactly as Kafka's Java client does
// (murmur2), without key sticky (KIP-480/794) or round robin. Pure but for the Random handed in; called by
// the HTTP door and the client library, so that a key finds the same partition through every door.

import type { Random } from "./platform.ts";

/** Topics a keyless partitioner remembers; the oldest choice is forgotten above it. */
const topicsMax = 10_000;
const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** 32-bit MurmurHash2 as a signed integer, with the seed of Kafka's Java client. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  let hash = seed ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  const rest = length - at;
  if (rest > 0) {
    if (rest === 3) hash ^= bytes[at + 2]! << 16;
    if (rest >= 2) hash ^= bytes[at + 1]! << 8;
    hash = Math.imul(hash ^ bytes[at]!, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}

/** The partition of a key among `partitions` (≥ 1): all partitions count, also those without a leader now. */
export function partitionForKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** Chooses for records without a key. */
export interface KeylessPartitioner {
  /** Index in [0, partitions) for the next record of `bytes` encoded bytes; `partitions` ≥ 1. */
  next(topic: string, partitions: number, bytes: number): number;
}

/**
 * Stays with one random partition until `batchBytes` went there, then moves to a different one: full batches
 * at low rates, an even spread over time (KIP-794's uniform sticky partitioner).
 */
export class StickyPartitioner implements KeylessPartitioner {
  readonly #random: Random;
  readonly #batchBytes: number;
  readonly #choices = new Map<string, { partition: number; bytes: number }>();

  constructor(options: { random: Random; batchBytes?: number }) {
    this.#random = options.random;
    this.#batchBytes = options.batchBytes ?? 16_384;
  }

  next(topic: string, partitions: number, bytes: number): number {
    let choice = this.#choices.get(topic);
    if (choice === undefined) {
      choice = { partition: this.#random.integer(partitions), bytes: 0 };
      remember(this.#choices, topic, choice);
    } else if (choice.bytes >= this.#batchBytes || choice.partition >= partitions) {
      choice.partition = this.#other(choice.partition, partitions);
      choice.bytes = 0;
    }
    choice.bytes += bytes;
    return choice.partition;
  }

  #other(partition: number, partitions: number): number {
    if (partition >= partitions) return this.#random.integer(partitions);
    if (partitions === 1) return 0;
    const step = 1 + this.#random.integer(partitions - 1);
    return (partition + step) % partitions;
  }
}

/** Every record to the next partition in turn, from a random start. */
export class RoundRobinPartitioner implements KeylessPartitioner {
  readonly #random: Random;
  readonly #next = new Map<string, number>();

  constructor(options: { random: Random }) {
    this.#random = options.random;
  }

  next(topic: string, partitions: number): number {
    const partition = (this.#next.get(topic) ?? this.#random.integer(partitions)) % partitions;
    remember(this.#next, topic, partition + 1);
    return partition;
  }
}

function remember<T>(choices: Map<string, T>, topic: string, choice: T): void {
  if (choices.size >= topicsMax && !choices.has(topic)) {
    const oldest = choices.keys().next();
    if (!oldest.done) choices.delete(oldest.value);
  }
  choices.set(topic, choice);
}
