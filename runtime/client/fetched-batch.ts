// FetchedBatch: one record batch as a program gets it. Its records are read out of the fetched bytes while they are
// iterated; `records` keeps them all as an array for who wants that.

import type { RecordReader } from "../../storage-wasm/core.ts";
import type { BatchRecord, ConsumedBatch } from "./api.ts";
import { ClientError } from "./error.ts";
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
  readonly #answer: OpenBatch["answer"];
  readonly #place: BatchPlace;
  #records: readonly BatchRecord[] | null = null;

  /** Begins where the batch's reader stands. */
  constructor(place: BatchPlace, batch: OpenBatch) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.highWatermark = place.highWatermark;
    this.logStartOffset = place.logStartOffset;
    this.nextOffset = batch.nextOffset;
    this.leaderEpoch = batch.leaderEpoch;
    this.attributes = batch.attributes;
    this.#reader = batch.reader;
    this.#answer = batch.answer;
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
    if (this.#answer.isReleased) throw this.#late();
    return new RecordIterator(this.#reader.clone(), this.#place);
  }

  #late(): ClientError {
    const where = `Reading ${this.topic}-${this.partition} before offset ${this.nextOffset}`;
    const what = `${where}: with reuseMemory a batch ends when the next is asked for.`;
    return new ClientError("INVALID_REQUEST", `${what} Read it before, or leave reuseMemory off.`);
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
