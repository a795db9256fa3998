// A host and the process on it: what lives, stands still and dies. A process that is killed leaves no trace but its
// disk: no event of it happens any more, and what it still does in the turn of its death reaches nobody.

import type { Clock, Timer } from "../../runtime/platform.ts";
import { Kind, type Owner, type Scheduler } from "./scheduler.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A machine: its clock may be wrong, its power may be off. */
export interface Host {
  readonly name: string;
  isUp: boolean;
  /** Added to the true wall-clock time. */
  wallOffsetMs: number;
}

/** The simulated day begins on 2026-01-01. */
const dawnMs = Date.UTC(2026, 0, 1);

export class SimProcess implements Owner {
  readonly name: string;
  readonly number: number;
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly clock: Clock;
  isAlive = true;
  #isPaused = false;
  #held: (() => void)[] = [];
  readonly #onEnd: (() => void)[] = [];

  constructor(
    scheduler: Scheduler,
    own: { name: string; number: number; host: Host; random: SeededRandom },
  ) {
    this.scheduler = scheduler;
    this.name = own.name;
    this.number = own.number;
    this.host = own.host;
    this.random = own.random;
    this.clock = {
      nowMs: () => Math.floor(dawnMs + scheduler.nowMs + own.host.wallOffsetMs),
      monotonicMs: () => scheduler.nowMs,
      after: (delayMs, run): Timer => scheduler.after(delayMs, this, Kind.timer, run),
      soon: (run) => void scheduler.after(0, this, Kind.soon, run),
    };
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Runs when the process ends, before anybody else hears of it. */
  onEnd(run: () => void): void {
    this.#onEnd.push(run);
  }

  end(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.#held = [];
    for (const run of this.#onEnd) run();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const run of this.#held) this.scheduler.after(0, this, Kind.soon, run);
    this.#held = [];
  }

  hold(run: () => void): boolean {
    if (this.#isPaused) this.#held.push(run);
    return this.#isPaused;
  }
}
