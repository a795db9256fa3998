// Choices of a run, from its seed: the same seed chooses the same faults, though processes never do the same twice.

import { SeededRandom } from "../support/random.ts";

const steps = 1_000;

export class Pick {
  readonly #random: SeededRandom;
  readonly #turns = new Map<string, number>();

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  chance(probability: number): boolean {
    return this.#random.below(steps) < probability * steps;
  }

  between(min: number, max: number): number {
    return min + this.#random.below(max - min + 1);
  }

  one<T>(choices: readonly T[]): T {
    return this.#random.pick(choices);
  }

  some<T>(choices: readonly T[], count: number): T[] {
    const left = [...choices];
    const length = Math.min(count, left.length);
    return Array.from({ length }, () => left.splice(this.#random.below(left.length), 1)[0]!);
  }

  /** One after the other, so that a short run misses none for long. */
  next<T>(name: string, choices: readonly T[]): T {
    const turn = this.#turns.get(name) ?? this.#random.below(choices.length);
    this.#turns.set(name, turn + 1);
    return choices[turn % choices.length]!;
  }
}
