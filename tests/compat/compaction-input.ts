// What the compaction proof writes, and what must be left of it: ready-made batches of equal size in which only
// keys and the first bytes of values change, so that ten million records cost seconds; and per key the offset of
// its newest record, kept apart from all of Timberline's code.

import { readFileSync } from "node:fs";
import { coreModuleUrl, createCore } from "../../storage-wasm/core.ts";

const core = createCore(new WebAssembly.Module(readFileSync(coreModuleUrl)));

const keyBytes = 8;
const crcAt = 17;
const crcFrom = 21;
const batchHeaderBytes = 61;

export interface InputSize {
  readonly records: number;
  readonly keys: number;
  readonly batchRecords: number;
  readonly valueBytes: number;
  /** Another input of the same sizes. */
  readonly seed: number;
}

/** Which key record `i` has: spread evenly, and the same for writer and reader. */
export function keyOf(i: number, { keys, seed }: Pick<InputSize, "keys" | "seed">): number {
  let mixed = Math.imul((i + seed) ^ ((i + seed) >>> 16), 0x45d9f3b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b);
  return ((mixed ^ (mixed >>> 16)) >>> 0) % keys;
}

/** The newest offset of each key; a record's offset is its number, as it is the only input of its partition. */
export class NewestOffsets {
  readonly size: InputSize;
  readonly #newest: Int32Array;
  #distinct = 0;

  constructor(size: InputSize) {
    this.size = size;
    this.#newest = new Int32Array(size.keys).fill(-1);
  }

  /** Keys seen so far. */
  get distinct(): number {
    return this.#distinct;
  }

  /** Notes the records of [from, to). */
  write(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const key = keyOf(i, this.size);
      if (this.#newest[key] === -1) this.#distinct++;
      this.#newest[key] = i;
    }
  }

  isNewest(offset: number): boolean {
    return this.#newest[keyOf(offset, this.size)] === offset;
  }
}

/** One batch's bytes, filled anew for each place in the log. */
export class BatchTemplate {
  readonly #size: InputSize;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where each record's key and value begin. */
  readonly #places: readonly { readonly key: number; readonly value: number }[];

  constructor(size: InputSize) {
    this.#size = size;
    const key = new Uint8Array(keyBytes);
    const value = Uint8Array.from({ length: size.valueBytes }, (_, i) => 32 + ((i * 31) % 90));
    const record = { key, value, timestampMs: Date.now() };
    const records = Array.from({ length: size.batchRecords }, () => record);
    this.#bytes = core.encode(records, { compression: null }).slice();
    this.#view = new DataView(this.#bytes.buffer);
    this.#places = [...walkRecords(this.#bytes, 0, size.batchRecords)].map(
      ({ keyAt, valueAt }) => ({
        key: keyAt,
        value: valueAt,
      }),
    );
  }

  get bytes(): number {
    return this.#bytes.length;
  }

  /** The batch of the records from number `first` on; a copy, for it may wait in a socket. */
  filled(first: number): Uint8Array {
    this.#places.forEach(({ key, value }, i) => {
      this.#view.setFloat64(key, keyOf(first + i, this.#size));
      this.#view.setFloat64(value, first + i);
    });
    this.#view.setUint32(crcAt, core.crc32c(this.#bytes.subarray(crcFrom)));
    return this.#bytes.slice();
  }
}

export interface RecordPlace {
  readonly offsetDelta: number;
  readonly keyAt: number;
  readonly keyLength: number;
  readonly valueAt: number;
  readonly valueLength: number;
}

/** The records of an uncompressed batch at `at`, by Kafka's description of the format. */
export function* walkRecords(bytes: Uint8Array, at: number, count: number): Generator<RecordPlace> {
  let next = at + batchHeaderBytes;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[next++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  for (let i = 0; i < count; i++) {
    const length = varint();
    const end = next + length;
    next++;
    varint();
    const offsetDelta = varint();
    const keyLength = varint();
    const keyAt = next;
    next += Math.max(0, keyLength);
    const valueLength = varint();
    yield { offsetDelta, keyAt, keyLength, valueAt: next, valueLength };
    next = end;
  }
}
