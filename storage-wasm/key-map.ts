// `KeyMap` of `core.ts` over the functions of `assembly/key-map.ts`.

import type { Address, FilteredRecords, KeyMap } from "./core.ts";
import { CoreMemoryFull, CorruptBatch } from "./errors.ts";
import type { CoreMemory } from "./memory.ts";

const slotBytes = 24;
/** Of the slots, as the core fills them. */
const fillMax = 0.75;
const slotsMin = 64;
const noRoom = -1;
const badRecord = -2;
const ruleDropTombstones = 1;

/** The largest map within `bytesMax` that is needed for `entries`. */
export function newKeyMap(
  memory: CoreMemory,
  options: { entries: number; bytesMax: number; seed: Uint8Array },
): KeyMap {
  const wanted = Math.max(slotsMin, options.entries / fillMax);
  const allowed = Math.max(slotsMin, options.bytesMax / slotBytes);
  let slots = slotsMin;
  while (slots < wanted && slots * 2 <= allowed) slots *= 2;
  const seedAt = memory.alloc(16);
  memory.write(seedAt, options.seed.subarray(0, 16));
  const map = memory.raw.newKeyMap(slots, seedAt) >>> 0;
  memory.free(seedAt);
  if (map === 0) throw new CoreMemoryFull(slots * slotBytes);
  return new CoreKeyMap(memory, map, slots);
}

class CoreKeyMap implements KeyMap {
  readonly bytes: number;
  readonly entriesMax: number;
  readonly #memory: CoreMemory;
  readonly #map: Address;

  constructor(memory: CoreMemory, map: Address, slots: number) {
    this.#memory = memory;
    this.#map = map;
    this.bytes = slots * slotBytes;
    this.entriesMax = slots - Math.floor(slots / 4);
  }

  get entries(): number {
    return this.#memory.raw.keyMapEntries(this.#map) >>> 0;
  }

  add(at: Address, length: number, batch: { count: number; baseOffset: number }): boolean {
    const { raw } = this.#memory;
    const found = raw.mapRecords(this.#map, at, at + length, batch.count, batch.baseOffset);
    if (found === badRecord) throw new CorruptBatch("a record's lengths do not add up");
    return found !== noRoom;
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
}
