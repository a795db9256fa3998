// One batch under compaction: which of its records stay, and the batch that is left. Offsets, producer fields and
// codec never change; a batch that loses nothing stays byte for byte. Tombstones and markers get a delete horizon
// (attribute bit 6; the base timestamp then holds it) when they are cleaned first, and go when it has passed.

import type { Address, BatchHeader, Core, KeyMap } from "../../storage-wasm/core.ts";
import { codecNames, decompressor } from "../compression/codecs.ts";
import type { Codecs } from "../platform.ts";

const headerBytes = 61;
const horizonBit = 0x40;
/** A shifted timestamp delta may be that much longer. */
const growthPerRecord = 12;

export interface FilterRules {
  readonly map: KeyMap;
  /** Up to here the map knows keys. */
  readonly latestOffset: number;
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  readonly decompressedBytesMax: number;
}

/** What is to become of a batch besides what its keys say. */
export type Fate = "filter" | "drop" | "keep" | "keep-with-horizon";

export class BatchFilter {
  readonly #core: Core;
  readonly #codecs: Codecs;
  readonly #rules: FilterRules;
  #out: Address = 0;
  #outBytes = 0;

  constructor(parts: { core: Core; codecs: Codecs }, rules: FilterRules) {
    this.#core = parts.core;
    this.#codecs = parts.codecs;
    this.#rules = rules;
  }

  close(): void {
    if (this.#out !== 0) this.#core.free(this.#out);
    this.#out = 0;
    this.#outBytes = 0;
  }

  /** The time after which tombstones of this batch may go; undefined if it has none yet. */
  static horizon({ attributes, baseTimestamp }: BatchHeader): number | undefined {
    return (attributes & horizonBit) === 0 ? undefined : baseTimestamp;
  }

  /**
   * The bytes that stay of the batch at `at`, valid until the next call; undefined if none do. `mustStay`: an
   * empty batch is left, because it is its producer's last. `header` gets the new batch's fields.
   */
  filtered(
    header: BatchHeader,
    at: Address,
    options: { fate: Fate; mustStay: boolean },
  ): Uint8Array | undefined {
    const { fate, mustStay } = options;
    if (fate === "keep") return this.#core.bytes(at, header.bytes);
    if (fate === "drop" || header.count === 0) {
      return mustStay ? this.#emptied(header, at) : undefined;
    }
    const records = this.#records(header, at);
    const isMarker = fate === "keep-with-horizon";
    const horizon = BatchFilter.horizon(header);
    let shift = isMarker ? this.#horizonShift(header) : 0;
    let kept = this.#filter(header, records, shift, isMarker);
    if (kept.count === 0) return mustStay ? this.#emptied(header, at) : undefined;
    if (kept.tombstones > 0 && horizon === undefined && !isMarker) {
      shift = this.#horizonShift(header);
      kept = this.#filter(header, records, shift, isMarker);
    }
    if (kept.count === header.count && shift === 0) return this.#core.bytes(at, header.bytes);
    return this.#resealed(header, at, kept, shift);
  }

  #horizonShift(header: BatchHeader): number {
    return this.#rules.nowMs + this.#rules.deleteRetentionMs - header.baseTimestamp;
  }

  #filter(
    header: BatchHeader,
    records: { at: Address; length: number },
    timestampShift: number,
    keepsAll: boolean,
  ) {
    const { map, latestOffset, nowMs } = this.#rules;
    const { count, baseOffset } = header;
    const horizon = BatchFilter.horizon(header);
    const out = this.#room(headerBytes + records.length + count * growthPerRecord) + headerBytes;
    return map.filter(
      records.at,
      records.length,
      {
        count,
        baseOffset,
        latestOffset: keepsAll ? -1 : latestOffset,
        dropTombstones: horizon !== undefined && nowMs >= horizon,
        timestampShift,
      },
      out,
    );
  }

  #resealed(
    header: BatchHeader,
    at: Address,
    kept: { count: number; bytes: number; timestampDeltaMax: number },
    shift: number,
  ): Uint8Array {
    const core = this.#core;
    let recordsBytes = kept.bytes;
    if (header.codec !== 0) {
      const plain = core.bytes(this.#out + headerBytes, kept.bytes).slice();
      const compressed = this.#codecs[codecNames[header.codec]!].compress(plain);
      recordsBytes = compressed.length;
      const out = this.#room(headerBytes + recordsBytes);
      core.bytes(out + headerBytes, recordsBytes).set(compressed);
    }
    const newest = header.baseTimestamp + kept.timestampDeltaMax;
    if (shift !== 0) header.attributes |= horizonBit;
    if (!header.isLogAppendTime) header.maxTimestamp = newest;
    header.baseTimestamp += shift;
    header.count = kept.count;
    return this.#sealed(header, at, recordsBytes);
  }

  /** The batch without records: its producer's sequence and epoch live on in it. */
  #emptied(header: BatchHeader, at: Address): Uint8Array {
    this.#room(headerBytes);
    header.count = 0;
    // Nothing is what no codec can unpack, and nothing has no horizon.
    header.attributes -= header.codec + (header.attributes & horizonBit);
    header.codec = 0;
    header.baseTimestamp = header.maxTimestamp;
    return this.#sealed(header, at, 0);
  }

  #sealed(header: BatchHeader, at: Address, recordsBytes: number): Uint8Array {
    const core = this.#core;
    const out = this.#out;
    core.bytes(out, headerBytes).set(core.bytes(at, headerBytes));
    const { count, attributes, baseTimestamp, maxTimestamp } = header;
    core.reseal(out, { recordsBytes, count, attributes, baseTimestamp, maxTimestamp });
    header.bytes = headerBytes + recordsBytes;
    return core.bytes(out, header.bytes);
  }

  #records(header: BatchHeader, at: Address): { at: Address; length: number } {
    return placeRecords(this.#core, this.#codecs, header, at, this.#rules.decompressedBytesMax);
  }

  #room(bytes: number): Address {
    if (bytes <= this.#outBytes) return this.#out;
    if (this.#out !== 0) this.#core.free(this.#out);
    this.#out = 0;
    this.#out = this.#core.alloc(bytes);
    this.#outBytes = bytes;
    return this.#out;
  }
}

/** Where the batch's records lie uncompressed, until the next `place`. */
export function placeRecords(
  core: Core,
  codecs: Codecs,
  header: BatchHeader,
  at: Address,
  decompressedBytesMax: number,
): { at: Address; length: number } {
  const length = header.bytes - headerBytes;
  if (header.codec === 0) return { at: at + headerBytes, length };
  const stored = core.bytes(at + headerBytes, length).slice();
  const plain = decompressor(codecs, decompressedBytesMax)(header.codec, stored);
  return { at: core.place(plain), length: plain.length };
}
