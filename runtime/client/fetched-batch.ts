// FetchedBatch: one record batch as a program gets it. Its records are read out of the fetched bytes while they are
// iterated; `records` keeps them all as an array for who wants that.

import type { RecordReader } from "../../storage-wasm/core.ts";
import type { BatchRecord, ConsumedBatch } from "./api.ts";
import type { OpenBatch } from "./fetched.ts";

/** Where the batch was read, and who is told when its records turn out damaged. */
export interface BatchPlace {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  failed(thrown: unknown): Error;
}

export class FetchedBatch implements ConsumedBatch {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly nextOffset: number;
  readonly leaderEpoch: number;
  readonly attributes: number;
  readonly #reader: RecordReader;
  readonly #place: BatchPlace;
  #records: readonly BatchRecord[] | null = null;

  /** Begins where the batch's reader stands. */
  constructor(place: BatchPlace, { reader, nextOffset, leaderEpoch, attributes }: OpenBatch) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.highWatermark = place.highWatermark;
    this.logStartOffset = place.logStartOffset;
    this.nextOffset = nextOffset;
    this.leaderEpoch = leaderEpoch;
    this.attributes = attributes;
    this.#reader = reader;
    this.#place = place;
  }

  get count(): number {
    return this.#reader.left;
  }

  get records(): readonly BatchRecord[] {
    this.#records ??= Array.from(this);
    return this.#records;
  }

  [Symbol.iterator](): Iterator<BatchRecord> {
    return new RecordIterator(this.#reader.clone(), this.#place);
  }
}

class RecordIterator implements IterableIterator<BatchRecord> {
  readonly #reader: RecordReader;
  readonly #place: BatchPlace;

  constructor(reader: RecordReader, place: BatchPlace) {
    this.#reader = reader;
    this.#place = place;
  }

  next(): IteratorResult<BatchRecord> {
    const reader = this.#reader;
    try {
      if (!reader.advance()) return { value: undefined, done: true };
      const { offset, timestampMs, key, value, headers } = reader;
      return { value: { offset, timestampMs, key, value, headers }, done: false };
    } catch (thrown) {
      throw this.#place.failed(thrown);
    }
  }

  [Symbol.iterator](): IterableIterator<BatchRecord> {
    return this;
  }
}
