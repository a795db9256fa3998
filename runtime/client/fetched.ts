// Fetched records: what one Fetch answer brought of one partition, checked when it arrives, unpacked batch by batch
// when it is handed out. With read_committed, records of aborted transactions are left out.

import { BatchFault, type Core, RecordReader } from "../../storage-wasm/core.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import { batchHeaderBytes } from "./batch.ts";
import { ClientError } from "./error.ts";

/** Rows asked of one scan; more take another. */
const rowsMax = 1024;

interface Batch {
  readonly at: number;
  readonly bytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly isControl: boolean;
  readonly isTransactional: boolean;
  readonly isLogAppendTime: boolean;
  readonly codec: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly count: number;
  readonly producerId: number;
  readonly leaderEpoch: number;
  readonly attributes: number;
}

/** A batch that is handed out; `reader` stands before its next record. */
export interface OpenBatch {
  readonly reader: RecordReader;
  readonly nextOffset: number;
  readonly leaderEpoch: number;
  readonly attributes: number;
  /** Whose memory its records lie in. */
  readonly answer: Pick<FetchedRecords, "isReleased">;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export class FetchedRecords {
  readonly #core: Core;
  readonly #bytes: Uint8Array;
  /** Where the bytes are given back to. */
  readonly #memory: AnswerMemory | null;
  #isReleased = false;
  readonly #batches: Batch[] = [];
  readonly #fault: BatchFault;
  #next = 0;
  /** By first offset, those not yet reached. */
  readonly #aborted: AbortedTransaction[];
  readonly #abortedProducers = new Set<number>();

  /** Checks structure and CRC of all whole batches; a batch cut off at the end is ignored. */
  constructor(
    core: Core,
    bytes: Uint8Array,
    aborted: readonly AbortedTransaction[],
    memory: AnswerMemory | null = null,
  ) {
    this.#core = core;
    this.#bytes = bytes;
    this.#memory = memory;
    memory?.hold(bytes);
    this.#aborted = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
    this.#fault = this.#scan();
  }

  /** Bytes not yet opened. */
  get bytesLeft(): number {
    const batch = this.#batches[this.#next];
    return batch === undefined ? 0 : this.#bytes.length - batch.at;
  }

  /** Whether its records may have changed: its memory is used for other answers. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Nobody looks at its records any more. */
  release(): void {
    if (this.#isReleased || this.#memory === null) return;
    this.#isReleased = true;
    this.#memory.release(this.#bytes);
  }

  /** Offset to go on with after all of it; -1 if there is no whole batch. */
  get nextOffset(): number {
    const last = this.#batches.at(-1);
    return last === undefined ? -1 : last.lastOffset + 1;
  }

  /** Why the bytes end early, where the broker sent damaged ones. Met after the good batches. */
  error(where: string): ClientError | null {
    const { none, incomplete, magic } = BatchFault;
    if (this.#fault === none || this.#fault === incomplete) return null;
    if (this.#fault === magic) {
      const what = `${where}: a batch in the format of Kafka before 0.11.`;
      return new ClientError("UNSUPPORTED_FOR_MESSAGE_FORMAT", what);
    }
    const after = this.nextOffset < 0 ? "" : ` at offset ${this.nextOffset}`;
    const what = `${where}: a damaged batch${after} (fault ${this.#fault}). Seek past it to go on.`;
    return new ClientError("CORRUPT_MESSAGE", what);
  }

  /** The next batch that has records to show from `fromOffset` on; null at the end. */
  next(
    fromOffset: number,
    decompress: (codec: number, bytes: Uint8Array) => Uint8Array,
  ): OpenBatch | null {
    for (;;) {
      const batch = this.#batches[this.#next];
      if (batch === undefined) return null;
      this.#next++;
      if (!this.#isVisible(batch)) continue;
      const reader = this.#open(batch, decompress);
      if (batch.baseOffset < fromOffset) reader.skipTo(fromOffset);
      if (reader.left === 0) continue;
      const { leaderEpoch, attributes } = batch;
      const nextOffset = batch.lastOffset + 1;
      return { reader, nextOffset, leaderEpoch, attributes, answer: this };
    }
  }

  #open(
    { at, bytes, codec, isLogAppendTime, ...origin }: Batch,
    decompress: (codec: number, bytes: Uint8Array) => Uint8Array,
  ): RecordReader {
    const stored = this.#bytes.subarray(at + batchHeaderBytes, at + bytes);
    const appendTimeMs = isLogAppendTime ? origin.maxTimestamp : null;
    const records = codec === 0 ? stored : decompress(codec, stored);
    return new RecordReader(records, { ...origin, appendTimeMs });
  }

  #scan(): BatchFault {
    const core = this.#core;
    for (let at = 0; at < this.#bytes.length; ) {
      const rest = this.#bytes.subarray(at);
      const scan = core.scan(core.place(rest), rest.length, { verifyCrc: true, rowsMax });
      for (let i = 0; i < scan.rows; i++) {
        const position = at + core.row(i);
        // The header object is the core's and overwritten by its next call.
        this.#batches.push({ ...core.header, at: position });
      }
      if (scan.validBytes === 0 || scan.fault !== BatchFault.none) return scan.fault;
      at += scan.validBytes;
    }
    return BatchFault.none;
  }

  /** Control batches end transactions; what an aborted one wrote before its end is skipped. */
  #isVisible(batch: Batch): boolean {
    while (this.#aborted.length > 0 && this.#aborted[0]!.firstOffset <= batch.lastOffset) {
      this.#abortedProducers.add(this.#aborted.shift()!.producerId);
    }
    if (batch.isControl) {
      this.#abortedProducers.delete(batch.producerId);
      return false;
    }
    return !(batch.isTransactional && this.#abortedProducers.has(batch.producerId));
  }
}
