// PartitionReader: where one consumer stands in one partition: what to fetch next, what was fetched and waits,
// what was handed out. Pure bookkeeping; `fetcher.ts` fills it, `consumer.ts` empties it.

import { zeroUuid } from "../kafka/uuid.ts";
import { ClientError } from "./error.ts";
import type { FetchedRecords, OpenBatch } from "./fetched.ts";

export interface FetchedChunk {
  readonly records: FetchedRecords;
  readonly highWatermark: number;
  readonly logStartOffset: number;
}

/** A batch that is being handed out, and where the partition ended when it was fetched. */
export interface Handout {
  readonly batch: OpenBatch;
  readonly highWatermark: number;
  readonly logStartOffset: number;
}

export class PartitionReader {
  readonly topic: string;
  readonly partition: number;
  /** Next offset to ask the broker for. */
  fetchOffset: number;
  /** Offset of the next record to hand out. */
  position: number;
  isPaused = false;
  isFetching = false;
  /** Nothing is asked for before, after a failure. */
  notBeforeMs = 0;
  failures = 0;
  /** Told once to whoever iterates; then nothing is fetched until a seek. */
  error: ClientError | null = null;
  isBroken = false;
  readonly chunks: FetchedChunk[] = [];
  /** Handed out in part, or about to be; it comes before the chunks. */
  handout: Handout | null = null;
  #topicId = zeroUuid;
  /** Answers to questions from before a seek carry an older one. */
  generation = 0;

  constructor(topic: string, partition: number, offset: number) {
    this.topic = topic;
    this.partition = partition;
    this.fetchOffset = offset;
    this.position = offset;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const { records } of this.chunks) bytes += records.bytesLeft;
    return bytes;
  }

  seek(offset: number): void {
    this.generation++;
    this.fetchOffset = offset;
    this.position = offset;
    this.chunks.length = 0;
    this.handout = null;
    this.notBeforeMs = 0;
    this.failures = 0;
    this.error = null;
    this.isBroken = false;
  }

  /** Offsets mean nothing in a topic of the same name that was made anew: false, and broken, if it was. */
  isSameTopic(id: string): boolean {
    if (this.#topicId === zeroUuid) this.#topicId = id;
    if (this.#topicId === id) return true;
    const what = `Topic ${this.topic} was deleted and created again. Assign it again to read it.`;
    this.break(new ClientError("UNKNOWN_TOPIC_ID", what));
    return false;
  }

  /**
   * Whether a batch stands open; takes the next of the oldest chunk if none does, and drops that at its end. Throws
   * what is wrong with it.
   */
  open(decompress: (codec: number, bytes: Uint8Array) => Uint8Array): boolean {
    const chunk = this.chunks[0];
    if (this.handout !== null || chunk === undefined) return this.handout !== null;
    const { records, highWatermark, logStartOffset } = chunk;
    const batch = records.next(this.position, decompress);
    if (batch !== null) {
      this.handout = { batch, highWatermark, logStartOffset };
      return true;
    }
    this.chunks.shift();
    records.release();
    // What an aborted transaction wrote, and the marks of its end, are passed over.
    this.position = Math.max(this.position, records.nextOffset);
    const error = records.error(`Reading ${this.topic}-${this.partition}`);
    if (error !== null && this.chunks.length === 0) this.break(error);
    return false;
  }

  /** The bytes cannot be read: nothing of them is handed out. */
  drop(): void {
    this.chunks.length = 0;
    this.handout = null;
    this.isBroken = true;
    this.error = null;
  }

  break(error: ClientError): void {
    this.error = error;
    this.isBroken = true;
  }
}
