// `KeyMap` of `core.ts` over the functions of `assembly/key-map.ts`.

import type { Address, FilteredRecords, KeyMap } from "./core.ts";
import { CoreMemoryFull, CorruptBatch } from "./errors.ts";
import type { CoreMemory } from "./memory.ts";

const slotBytes = 24;
/** Of the slots, as the core fills them. */
const fillMax = 0.75;
const slotsMin = 64;
const slotsFirst = 32_768;
/** Marks may take this part of what the map may. */
const marksPart = 1 / 8;
const noRoom = -1;
const badRecord = -2;
const ruleDropTombstones = 1;

/** Starts small: a map that fits into the CPU's caches is several times as fast. */
export function newKeyMap(
  memory: CoreMemory,
  options: { entries: number; bytesMax: number; seed: Uint8Array },
): KeyMap {
  const wanted = Math.max(slotsMin, options.entries / fillMax);
  const allowed = Math.max(slotsMin, options.bytesMax / slotBytes);
  let slotsMax = slotsMin;
  while (slotsMax < wanted && slotsMax * 2 <= allowed) slotsMax *= 2;
  return new CoreKeyMap(memory, { ...options, slotsMax });
}

class CoreKeyMap implements KeyMap {
  readonly #memory: CoreMemory;
  readonly #slotsMax: number;
  readonly #markedMax: number;
  readonly #seed: Uint8Array;
  #slots: number;
  #map: Address;

  constructor(
    memory: CoreMemory,
    options: { slotsMax: number; bytesMax: number; seed: Uint8Array },
  ) {
    const { slotsMax, bytesMax, seed } = options;
    this.#memory = memory;
    this.#slotsMax = slotsMax;
    this.#markedMax = bytesMax * marksPart * 8;
    this.#seed = seed.slice(0, 16);
    this.#slots = Math.min(slotsFirst, slotsMax);
    this.#map = this.#new(this.#slots);
  }

  get entries(): number {
    return this.#memory.raw.keyMapEntries(this.#map) >>> 0;
  }

  get entriesMax(): number {
    return this.#slotsMax - Math.floor(this.#slotsMax / 4);
  }

  get bytes(): number {
    return this.#slots * slotBytes;
  }

  add(at: Address, length: number, batch: { count: number; baseOffset: number }): boolean {
    const { raw } = this.#memory;
    for (;;) {
      const found = raw.mapRecords(this.#map, at, at + length, batch.count, batch.baseOffset);
      if (found === badRecord) throw new CorruptBatch("a record's lengths do not add up");
      if (found !== noRoom) return true;
      if (this.#slots >= this.#slotsMax) return false;
      this.#grow();
    }
  }

  markNewest(from: number, to: number): void {
    if (to > from && to - from <= this.#markedMax) {
      this.#memory.raw.markNewest(this.#map, from, to - from);
    }
  }

  filter(
    at: Address,
    length: number,
    batch: {
      count: number;
      baseOffset: number;
      latestOffset: number;
      dropTombstones: boolean;
      timestampShift: number;
    },
    out: Address,
  ): FilteredRecords {
    const { raw } = this.#memory;
    const { count, baseOffset, latestOffset, timestampShift } = batch;
    const rules = batch.dropTombstones ? ruleDropTombstones : 0;
    const end = at + length;
    const map = this.#map;
    const kept = raw.filterRecords(
      ...([map, at, end, count, baseOffset, latestOffset, rules, timestampShift, out] as const),
    );
    if (kept === badRecord) throw new CorruptBatch("a record's lengths do not add up");
    return {
      count: kept,
      bytes: raw.keptRecordBytes() >>> 0,
      tombstones: raw.keptTombstoneCount() >>> 0,
      timestampDeltaMax: raw.keptTimestampMax(),
    };
  }

  free(): void {
    this.#memory.raw.freeKeyMap(this.#map);
  }

  #grow(): void {
    const larger = this.#new(this.#slots * 2);
    this.#memory.raw.copyKeyMap(this.#map, larger);
    this.free();
    this.#map = larger;
    this.#slots *= 2;
  }

  #new(slots: number): Address {
    const seedAt = this.#memory.alloc(16);
    this.#memory.write(seedAt, this.#seed);
    const map = this.#memory.raw.newKeyMap(slots, seedAt) >>> 0;
    this.#memory.free(seedAt);
    if (map === 0) throw new CoreMemoryFull(slots * slotBytes);
    return map;
  }
}
