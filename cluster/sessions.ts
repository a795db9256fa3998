// Whom the controller has heard of, and when. Pure: the time comes with every call and is the controller's own
// monotonic one, so no clock of another machine matters.

/** A look that comes this much late, measured in intervals, means that the controller itself stood still. */
const LATE_INTERVALS_MAX = 2;

export interface SessionLimits {
  readonly sessionMs: number;
  /** How often `expired` is called. */
  readonly intervalMs: number;
}

export class Sessions {
  readonly #limits: SessionLimits;
  readonly #endsMs = new Map<number, number>();
  #lookedMs: number;

  constructor(limits: SessionLimits, nowMs: number) {
    this.#limits = limits;
    this.#lookedMs = nowMs;
  }

  /** `restMs`: less than a whole session for one who has been silent already. */
  heard(id: number, nowMs: number, restMs = this.#limits.sessionMs): void {
    this.#endsMs.set(id, nowMs + restMs);
  }

  forget(id: number): void {
    this.#endsMs.delete(id);
  }

  has(id: number): boolean {
    return this.#endsMs.has(id);
  }

  /** Nobody is to blame for what could not be heard. */
  refresh(nowMs: number): void {
    for (const id of this.#endsMs.keys()) this.heard(id, nowMs);
  }

  /** Who has been silent for a whole session, in order of their ids. */
  expired(nowMs: number): number[] {
    const { intervalMs } = this.#limits;
    const wasLate = nowMs - this.#lookedMs > intervalMs * (1 + LATE_INTERVALS_MAX);
    this.#lookedMs = nowMs;
    if (wasLate) this.refresh(nowMs);
    const silent = [...this.#endsMs].filter(([, endMs]) => endMs <= nowMs);
    return silent.map(([id]) => id).sort((a, b) => a - b);
  }
}
