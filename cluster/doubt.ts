// A controller's doubt: when most of the others fall silent at once, it is rather this broker that is cut off. It leaves
// its place to whoever hears more. If nobody comes, the silent ones are not there: then, or if it doubted about the same
// ones a moment ago, it may fence them. So a cluster without any majority settles after one round of doubts.

import type { MemberClock } from "./member-parts.ts";

/** A doubt is remembered for so many sessions: enough for each of the others to have had its turn. */
const SESSIONS_REMEMBERED = 20;

export class Doubt {
  readonly #clock: MemberClock;
  readonly #sessionMs: number;
  /** Of the last doubt, and not heard of since. */
  readonly #silent = new Set<number>();
  #begunMs = Number.NEGATIVE_INFINITY;
  #endMs = Number.NEGATIVE_INFINITY;
  #isPending = false;

  constructor(clock: MemberClock, sessionMs: number) {
    this.#clock = clock;
    this.#sessionMs = sessionMs;
  }

  /** Whether others have their turn now. */
  get isOpen(): boolean {
    return this.#isPending && this.#clock.monotonicMs() < this.#endMs;
  }

  /** Whether it doubted a moment ago, and has not heard of all those since. */
  get isRemembered(): boolean {
    const sinceMs = this.#clock.monotonicMs() - this.#begunMs;
    return this.#silent.size > 0 && sinceMs < this.#sessionMs * SESSIONS_REMEMBERED;
  }

  /** Who was silent before this broker left its place and all the while since, if nobody took it. */
  get confirmed(): ReadonlySet<number> {
    return new Set(this.#isPending ? this.#silent : []);
  }

  /** False: there was such a doubt already. */
  begin(silent: readonly number[], waitMs: number): boolean {
    if (this.isRemembered) return false;
    const nowMs = this.#clock.monotonicMs();
    this.#silent.clear();
    for (const id of silent) this.#silent.add(id);
    this.#begunMs = nowMs;
    this.#endMs = nowMs + waitMs;
    this.#isPending = true;
    return true;
  }

  heard(id: number): void {
    this.#silent.delete(id);
  }

  /** Somebody has the place, or nobody could have taken it. */
  settle(): void {
    this.#isPending = false;
  }
}
