// FetchSkimmer: reads Fetch answers for one partition out of a stream without keeping them. Of each batch only the
// header is looked at, to know which offset comes next; everything else is skipped where it lies.

export interface FetchAnswer {
  /** After the last whole batch; -1 if the answer had none. */
  readonly nextOffset: number;
  /** Of whole batches. */
  readonly bytes: number;
}

/** Size, correlation id, throttle time, error, session, topic count; name length; one partition up to its count of
 * aborted transactions. */
const headBytesBeforeName = 4 + 4 + 4 + 2 + 4 + 4 + 2;
const headBytesAfterName = 4 + 4 + 2 + 8 + 8 + 8 + 4;
const topErrorAt = 12;
const topicCountAt = 18;
/** From the end of the head. */
const partitionErrorFromEnd = headBytesAfterName - 8;
const abortedCountFromEnd = 4;
const abortedBytes = 8 + 8;
/** Behind them: preferred replica, length of the records. */
const tailBytes = 4 + 4;
const recordsLengthAt = 4;
/** Of a batch: base offset, length, …, last offset delta. */
const batchHeadBytes = 27;
const lengthAt = 8;
const lengthCountsFrom = 12;
const lastOffsetDeltaAt = 23;

export class FetchSkimmer {
  readonly #answered: (answer: FetchAnswer) => void;
  readonly #headBytes: number;
  readonly #scratch: Uint8Array;
  readonly #view: DataView;
  #state: "head" | "aborted" | "tail" | "batch" | "skip" = "head";
  #needed: number;
  #filled = 0;
  #toSkip = 0;
  /** Bytes of this answer's records that are neither looked at nor skipped yet. */
  #left = 0;
  #nextOffset = -1;
  #bytes = 0;

  /** For answers to Fetch v11 about one partition of `topic`. */
  constructor(topic: string, answered: (answer: FetchAnswer) => void) {
    this.#answered = answered;
    this.#headBytes = headBytesBeforeName + topic.length + headBytesAfterName;
    this.#needed = this.#headBytes;
    this.#scratch = new Uint8Array(this.#headBytes);
    this.#view = new DataView(this.#scratch.buffer);
  }

  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const skips = this.#state === "skip" || this.#state === "aborted";
      at += skips ? this.#skip(bytes.length - at) : this.#fill(bytes, at);
    }
  }

  #skip(available: number): number {
    const count = Math.min(available, this.#toSkip);
    this.#toSkip -= count;
    if (this.#toSkip > 0) return count;
    if (this.#state === "aborted") this.#state = "tail";
    else this.#next();
    return count;
  }

  #fill(bytes: Uint8Array, at: number): number {
    const count = Math.min(this.#needed - this.#filled, bytes.length - at);
    for (let i = 0; i < count; i++) this.#scratch[this.#filled + i] = bytes[at + i]!;
    this.#filled += count;
    if (this.#filled < this.#needed) return count;
    if (this.#state === "head") this.#readHead();
    else if (this.#state === "tail") this.#readTail();
    else this.#readBatch();
    return count;
  }

  #readHead(): void {
    const error =
      this.#view.getInt16(topErrorAt) ||
      this.#view.getInt16(this.#headBytes - partitionErrorFromEnd);
    if (error !== 0 || this.#view.getInt32(topicCountAt) !== 1) {
      throw new Error(`the broker refused a fetch with error ${error}`);
    }
    this.#toSkip =
      abortedBytes * Math.max(0, this.#view.getInt32(this.#headBytes - abortedCountFromEnd));
    this.#state = this.#toSkip > 0 ? "aborted" : "tail";
    this.#filled = 0;
    this.#needed = tailBytes;
  }

  #readTail(): void {
    this.#left = Math.max(0, this.#view.getInt32(recordsLengthAt));
    this.#nextOffset = -1;
    this.#bytes = 0;
    this.#next();
  }

  #readBatch(): void {
    const bytes = this.#view.getInt32(lengthAt) + lengthCountsFrom;
    const isWhole = bytes <= this.#left;
    this.#toSkip = (isWhole ? bytes : this.#left) - batchHeadBytes;
    this.#left -= batchHeadBytes + this.#toSkip;
    if (isWhole) {
      this.#nextOffset =
        Number(this.#view.getBigInt64(0)) + this.#view.getInt32(lastOffsetDeltaAt) + 1;
      this.#bytes += bytes;
    }
    if (this.#toSkip > 0) this.#state = "skip";
    else this.#next();
  }

  /** Another batch, the rest of a cut one, or the next answer. */
  #next(): void {
    this.#filled = 0;
    this.#state = this.#left === 0 ? "head" : "batch";
    this.#needed = this.#left === 0 ? this.#headBytes : batchHeadBytes;
    if (this.#left === 0) {
      this.#answered({ nextOffset: this.#nextOffset, bytes: this.#bytes });
    } else if (this.#left < batchHeadBytes) {
      this.#toSkip = this.#left;
      this.#left = 0;
      this.#state = "skip";
    }
  }
}
