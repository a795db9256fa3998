// Group commit: partitions that wait for durability are synced together, once per turn of the event loop, and
// what arrives while a sync runs shares the next one. The only caller of `LocalLog.flush` on the append path.

import type { Clock } from "../platform.ts";

/** What can be flushed: a partition. */
export interface Flushable {
  /** Makes durable what is appended now; settles its waiters. Never rejects: failures are its own matter. */
  flush(): Promise<void>;
}

/** Syncs under way at once; the thread pools of all runtimes are small and reads need some of it. */
const syncsMax = 3;

export class Flusher {
  readonly #clock: Clock;
  readonly #waiting = new Set<Flushable>();
  readonly #running = new Set<Flushable>();
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks for a flush soon. Asking again before it starts is free. */
  request(log: Flushable): void {
    this.#waiting.add(log);
    if (this.#isScheduled || this.#running.size >= syncsMax) return;
    this.#isScheduled = true;
    this.#clock.soon(() => {
      this.#isScheduled = false;
      this.#start();
    });
  }

  #start(): void {
    for (const log of this.#waiting) {
      if (this.#running.size >= syncsMax) return;
      // Its next sync begins when the running one ends, with all that has come by then.
      if (this.#running.has(log)) continue;
      this.#waiting.delete(log);
      this.#running.add(log);
      void log.flush().then(() => {
        this.#running.delete(log);
        this.#start();
      });
    }
  }
}
