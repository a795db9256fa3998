// Randomness of a simulation: one seed, and a generator of its own for everybody who draws, so that one component's
// draws do not move another's.

import type { Random } from "../../runtime/platform.ts";

export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, name = "") {
    let hash = 0x811c9dc5 ^ seed;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    this.#a = hash | 0;
    this.#b = Math.imul(seed, 0x9e3779b1) | 0;
    this.#c = name.length;
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** A generator that goes its own way from here. */
  fork(name: string): SeededRandom {
    return new SeededRandom(this.#next(), name);
  }

  integer(below: number): number {
    return Math.floor((this.#next() / 0x1_0000_0000) * below);
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.integer(256));
  }

  chance(probability: number): boolean {
    return this.#next() < probability * 0x1_0000_0000;
  }

  /** Evenly in [from, to). */
  between(from: number, to: number): number {
    return from + (this.#next() / 0x1_0000_0000) * (to - from);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** Small fast counting generator (sfc32): 32 bits in [0, 2^32). */
  #next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
