// PartitionReader: where one consumer stands in one partition: what to fetch next, what was fetched and waits,
// what was handed out. Pure bookkeeping; `fetcher.ts` fills it, `consumer.ts` empties it.

import { zeroUuid } from "../kafka/uuid.ts";
import { ClientError } from "./error.ts";
import type { FetchedRecords } from "./fetched.ts";

export interface FetchedChunk {
  readonly records: FetchedRecords;
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

  break(error: ClientError): void {
    this.error = error;
    this.isBroken = true;
  }
}
