// One partition of the fake cluster: stored batches, and a broker's rules for sequences of idempotent producers.

import { errorCodes } from "../../../runtime/kafka/error-codes.ts";
import type { BatchHeader, Core, DecodedRecord } from "../../../storage-wasm/core.ts";
import { concat } from "../kafka/bytes.ts";

interface Stored {
  readonly bytes: Uint8Array;
  readonly header: BatchHeader;
}

/** A broker remembers as many batches of a producer. */
const rememberedMax = 5;

export class FakePartition {
  leader: number;
  leaderEpoch = -1;
  /** What the cluster says of it, when that is another leader than the one it has. */
  told: { leader: number; leaderEpoch: number } | undefined;
  readonly batches: Stored[] = [];
  logStartOffset = 0;
  nextOffset = 0;
  /** Larger batches are refused. */
  batchBytesMax = Number.POSITIVE_INFINITY;
  abortedTransactions: { producerId: number; firstOffset: number }[] = [];
  readonly #core: Core;

  constructor(core: Core, leader: number) {
    this.#core = core;
    this.leader = leader;
  }

  append(bytes: Uint8Array): { errorCode: number; baseOffset: number } {
    const batch = bytes.slice();
    const core = this.#core;
    const at = core.place(batch);
    const rules = { verifyCrc: true, walkRecords: true, requireKeys: false };
    if (core.check(at, batch.length, rules) !== 0) return refused("CORRUPT_MESSAGE");
    const header = { ...core.header };
    if (batch.length > this.batchBytesMax) return refused("MESSAGE_TOO_LARGE");
    if (header.producerId >= 0) {
      const repeated = this.#repetition(header);
      if (repeated !== null) return { errorCode: 0, baseOffset: repeated.header.baseOffset };
      if (header.baseSequence !== this.#expected(header)) {
        return refused("OUT_OF_ORDER_SEQUENCE_NUMBER");
      }
    }
    return { errorCode: 0, baseOffset: this.store(batch, header) };
  }

  /** Without checks: what a test puts there itself. */
  store(batch: Uint8Array, header: BatchHeader): number {
    const baseOffset = this.nextOffset;
    this.nextOffset += header.count;
    new DataView(batch.buffer, batch.byteOffset).setBigInt64(0, BigInt(baseOffset));
    const lastOffset = baseOffset + header.count - 1;
    this.batches.push({ bytes: batch, header: { ...header, baseOffset, lastOffset } });
    return baseOffset;
  }

  read(fetchOffset: number, bytesMax: number) {
    const { logStartOffset, nextOffset: highWatermark } = this;
    if (fetchOffset < logStartOffset || fetchOffset > highWatermark) {
      return { errorCode: errorCodes.OFFSET_OUT_OF_RANGE, highWatermark, records: null };
    }
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for (const batch of this.batches) {
      if (batch.header.lastOffset < fetchOffset) continue;
      if (pieces.length > 0 && bytes + batch.bytes.length > bytesMax) break;
      pieces.push(batch.bytes);
      bytes += batch.bytes.length;
    }
    const { abortedTransactions } = this;
    return {
      errorCode: 0,
      highWatermark,
      logStartOffset,
      abortedTransactions,
      records: concat(pieces),
    };
  }

  offsetFor(timestamp: number): { offset: number; timestamp: number } {
    if (timestamp === -1) return { offset: this.nextOffset, timestamp: -1 };
    if (timestamp === -2) return { offset: this.logStartOffset, timestamp: -1 };
    const found = this.records().find((record) => record.timestampMs >= timestamp);
    return { offset: found?.offset ?? -1, timestamp: found?.timestampMs ?? -1 };
  }

  records(): DecodedRecord[] {
    const refuse = (): never => {
      throw new Error("compressed");
    };
    return this.batches.flatMap(({ bytes }) => this.#core.decode(bytes, refuse));
  }

  /** Values as text, in order of offset. */
  values(): string[] {
    return this.records().map(({ value }) => new TextDecoder().decode(value ?? new Uint8Array(0)));
  }

  #of({ producerId, producerEpoch }: BatchHeader): Stored[] {
    return this.batches.filter(
      ({ header }) => header.producerId === producerId && header.producerEpoch === producerEpoch,
    );
  }

  #repetition(header: BatchHeader): Stored | null {
    const remembered = this.#of(header).slice(-rememberedMax);
    const same = remembered.find(
      (batch) =>
        batch.header.baseSequence === header.baseSequence && batch.header.count === header.count,
    );
    return same ?? null;
  }

  #expected(header: BatchHeader): number {
    const last = this.#of(header).at(-1);
    return last === undefined ? 0 : last.header.baseSequence + last.header.count;
  }
}

function refused(name: keyof typeof errorCodes): { errorCode: number; baseOffset: number } {
  return { errorCode: errorCodes[name], baseOffset: -1 };
}
