// The linear memory as TypeScript sees it: views that survive growth, allocation with a limit, and
// areas that grow on demand and are given back when large.

import type { Address } from "./core.ts";
import { CoreMemoryFull } from "./errors.ts";
import type { RawCore } from "./instance.ts";

/** An area above this is given back as soon as it is not needed. */
const areaKeptBytesMax = 4 * 1024 * 1024;
/** Areas grow in steps of this, so that a few bytes more do not move them. */
const areaStepBytes = 64 * 1024;
/** Up to here a loop copies faster than `set`. */
const shortCopyBytesMax = 32;

export class CoreMemory {
  readonly raw: RawCore;
  #bytes: Uint8Array;
  #view: DataView;
  #floats: Float64Array;

  constructor(raw: RawCore) {
    this.raw = raw;
    this.#bytes = new Uint8Array(raw.memory.buffer);
    this.#view = new DataView(raw.memory.buffer);
    this.#floats = new Float64Array(raw.memory.buffer);
  }

  /**
   * All of the memory. Growth detaches the buffer, which shows as length 0: then views are renewed.
   */
  get bytes(): Uint8Array {
    if (this.#bytes.length === 0) this.#renew();
    return this.#bytes;
  }

  get view(): DataView {
    if (this.#bytes.length === 0) this.#renew();
    return this.#view;
  }

  /** All of the memory as f64: index is address / 8. */
  get floats(): Float64Array {
    if (this.#bytes.length === 0) this.#renew();
    return this.#floats;
  }

  /** Whether the bytes lie in this memory (as it is now). */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.bytes.buffer;
  }

  alloc(length: number): Address {
    const at = length <= 0x7fffffff ? this.raw.allocate(length) >>> 0 : 0;
    if (at === 0) throw new CoreMemoryFull(length);
    return at;
  }

  free(at: Address): void {
    this.raw.release(at);
  }

  /** Copies into memory; returns where the copy ends. */
  write(at: Address, from: Uint8Array): Address {
    const bytes = this.bytes;
    const length = from.length;
    if (length > shortCopyBytesMax) bytes.set(from, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = from[i]!;
    return at + length;
  }

  #renew(): void {
    const buffer = this.raw.memory.buffer;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#floats = new Float64Array(buffer);
  }
}

/** One reusable piece of memory. Its content is lost when it grows. */
export class Area {
  readonly #memory: CoreMemory;
  #at: Address = 0;
  #capacity = 0;

  constructor(memory: CoreMemory) {
    this.#memory = memory;
  }

  /** Address of at least `length` bytes, valid until the next `hold` or `trim`. */
  hold(length: number): Address {
    if (length <= areaKeptBytesMax) this.trim();
    if (length > this.#capacity || this.#at === 0) {
      const capacity = Math.max(1, Math.ceil(length / areaStepBytes)) * areaStepBytes;
      this.#release();
      this.#at = this.#memory.alloc(capacity);
      this.#capacity = capacity;
    }
    return this.#at;
  }

  /** Gives the memory back if it is large. */
  trim(): void {
    if (this.#capacity > areaKeptBytesMax) this.#release();
  }

  #release(): void {
    if (this.#at !== 0) this.#memory.free(this.#at);
    this.#at = 0;
    this.#capacity = 0;
  }
}
