// Typed handles of the sparse indexes that live in the core's memory.

import type { OffsetIndex, TimeIndex } from "./core.ts";
import { CoreMemoryFull } from "./errors.ts";
import type { Area, CoreMemory } from "./memory.ts";

const offsetEntryBytes = 8;
const timeEntryBytes = 12;
const int32Max = 0x7fffffff;

// What the core's append answers.
const rejected = 1;
const memoryFull = 2;

export function newOffsetIndex(memory: CoreMemory): OffsetIndex {
  return new CoreOffsetIndex(memory, handle(memory.raw.newOffsetIndex()));
}

export function newTimeIndex(memory: CoreMemory): TimeIndex {
  return new CoreTimeIndex(memory, handle(memory.raw.newTimeIndex()));
}

export function loadOffsetIndex(memory: CoreMemory, area: Area, file: Uint8Array): OffsetIndex {
  const index = handle(memory.raw.newOffsetIndex());
  load(memory, area, index, file);
  return new CoreOffsetIndex(memory, index);
}

export function loadTimeIndex(memory: CoreMemory, area: Area, file: Uint8Array): TimeIndex {
  const index = handle(memory.raw.newTimeIndex());
  load(memory, area, index, file);
  return new CoreTimeIndex(memory, index);
}

/** What both kinds share. */
class CoreIndex {
  protected readonly memory: CoreMemory;
  protected readonly index: number;
  readonly #entryBytes: number;

  constructor(memory: CoreMemory, index: number, entryBytes: number) {
    this.memory = memory;
    this.index = index;
    this.#entryBytes = entryBytes;
  }

  get entries(): number {
    return this.memory.raw.indexEntries(this.index);
  }

  lastRelativeOffset(): number {
    return this.memory.raw.lastRelativeOffset(this.index);
  }

  truncate(relativeOffset: number): void {
    this.memory.raw.truncateIndex(this.index, clampOffset(relativeOffset));
  }

  fileBytes(from = 0): Uint8Array {
    const { raw, bytes } = this.memory;
    const start = (raw.indexData(this.index) >>> 0) + from * this.#entryBytes;
    return bytes.subarray(start, start + Math.max(0, this.entries - from) * this.#entryBytes);
  }

  free(): void {
    this.memory.raw.freeIndex(this.index);
  }
}

class CoreOffsetIndex extends CoreIndex implements OffsetIndex {
  constructor(memory: CoreMemory, index: number) {
    super(memory, index, offsetEntryBytes);
  }

  append(relativeOffset: number, position: number): void {
    assertInt32(relativeOffset);
    assertInt32(position);
    const answer = this.memory.raw.appendOffset(this.index, relativeOffset, position);
    if (answer === memoryFull) throw new CoreMemoryFull((this.entries + 1) * offsetEntryBytes);
    if (answer === rejected) {
      throw new RangeError(`offset index entry (${relativeOffset}, ${position}) does not grow`);
    }
  }

  lookup(relativeOffset: number): number {
    return this.memory.raw.lookupOffset(this.index, clampOffset(relativeOffset));
  }

  lastPosition(): number {
    return this.memory.raw.lastPosition(this.index);
  }
}

class CoreTimeIndex extends CoreIndex implements TimeIndex {
  constructor(memory: CoreMemory, index: number) {
    super(memory, index, timeEntryBytes);
  }

  append(timestampMs: number, relativeOffset: number): void {
    assertInt32(relativeOffset);
    const answer = this.memory.raw.appendTime(this.index, timestampMs, relativeOffset);
    if (answer === memoryFull) throw new CoreMemoryFull((this.entries + 1) * timeEntryBytes);
  }

  lookup(timestampMs: number): number {
    return this.memory.raw.lookupTime(this.index, timestampMs);
  }

  lastTimestamp(): number {
    return this.memory.raw.lastTimestamp(this.index);
  }
}

function load(memory: CoreMemory, area: Area, index: number, file: Uint8Array): void {
  let at = memory.holds(file) ? file.byteOffset : -1;
  if (at === -1) {
    at = area.hold(file.length);
    memory.write(at, file);
  }
  if (!memory.raw.loadIndex(index, at, file.length)) {
    memory.raw.freeIndex(index);
    throw new CoreMemoryFull(file.length);
  }
  area.trim();
}

function handle(index: number): number {
  if (index === 0) throw new CoreMemoryFull(16);
  return index >>> 0;
}

/** Beyond i32 a number would wrap into a wrong one. */
function assertInt32(value: number): void {
  if (!(value >= 0 && value <= int32Max))
    throw new RangeError(`index entry out of range: ${value}`);
}

/** Offsets far outside an index are as good as its ends; i32 would wrap them. */
function clampOffset(relativeOffset: number): number {
  return Math.max(-1, Math.min(relativeOffset, int32Max));
}
