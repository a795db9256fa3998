// BatchPool: memory of a producer's batches, used again once they are acknowledged. Left to the garbage collector,
// 64 KiB for each batch would be half of what producing costs. Only `producer.ts`.

import type { BatchMemory } from "../../storage-wasm/core.ts";

/** Sizes are powers of two from here to there; what is larger is not kept. */
const bytesMin = 1024;
const keptBytesMax = 2 * 1024 * 1024;
/** Of all sizes together. */
const poolBytesMax = 16 * 1024 * 1024;

export class BatchPool implements BatchMemory {
  /** By size. */
  readonly #free = new Map<number, Uint8Array[]>();
  #bytes = 0;

  take(wanted: number): Uint8Array {
    const size = roundedUp(wanted);
    const found = this.#free.get(size)?.pop();
    if (found === undefined) return new Uint8Array(size);
    this.#bytes -= size;
    return found;
  }

  give(bytes: Uint8Array): void {
    const size = bytes.length;
    if (size > keptBytesMax || this.#bytes + size > poolBytesMax) return;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [bytes]);
    else free.push(bytes);
    this.#bytes += size;
  }
}

function roundedUp(bytes: number): number {
  let size = bytesMin;
  while (size < bytes) size *= 2;
  return size;
}
