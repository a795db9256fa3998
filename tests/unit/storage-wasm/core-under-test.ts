// The core that the tests of this folder share, and bytes to feed it.

import { readFileSync } from "node:fs";
import { type Core, coreModuleUrl, createCore } from "../../../storage-wasm/core.ts";

export const coreModule = new WebAssembly.Module(readFileSync(coreModuleUrl));

export function newCore(options: { memoryBytesMax?: number } = {}): Core {
  return createCore(coreModule, options);
}

/** Bytes that repeat for the same seed (mulberry32). */
export function randomBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    bytes[i] = (mixed ^ (mixed >>> 14)) >>> 11;
  }
  return bytes;
}
