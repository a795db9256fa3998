// Watermark: how far event time has come in a task: the lowest of what its inputs have reached, without those that
// are silent for long. It never goes back. Pure: the wall clock is handed in.

interface InputTime {
  /** Highest event time seen; -1: none. */
  timeMs: number;
  seenAtMs: number;
  isIdle: boolean;
}

export class Watermark {
  readonly #inputs: ReadonlyMap<string, InputTime>;
  readonly #idleAfterMs: number;
  readonly #changed = new Set<string>();
  #timeMs = -1;

  constructor(options: { inputs: readonly string[]; idleAfterMs: number; nowMs: number }) {
    this.#idleAfterMs = options.idleAfterMs;
    this.#inputs = new Map(
      options.inputs.map((name) => [name, { timeMs: -1, seenAtMs: options.nowMs, isIdle: false }]),
    );
  }

  get timeMs(): number {
    return this.#timeMs;
  }

  /** Something came; `timeMs` is -1 if its time could not be told. */
  saw(input: string, timeMs: number, nowMs: number): void {
    const found = this.#inputs.get(input);
    if (found === undefined) return;
    found.seenAtMs = nowMs;
    found.isIdle = false;
    if (timeMs <= found.timeMs) return;
    found.timeMs = timeMs;
    this.#changed.add(input);
    this.#advance();
  }

  tick(nowMs: number): void {
    if (this.#inputs.size < 2) return;
    for (const input of this.#inputs.values()) {
      if (nowMs - input.seenAtMs >= this.#idleAfterMs) input.isIdle = true;
    }
    this.#advance();
  }

  restore(input: string, timeMs: number): void {
    const found = this.#inputs.get(input);
    if (found === undefined) return;
    found.timeMs = Math.max(found.timeMs, timeMs);
    this.#advance();
  }

  /** Inputs that went on since the last call. */
  takeChanges(): (readonly [string, number])[] {
    const changes = Array.from(
      this.#changed,
      (name) => [name, this.#inputs.get(name)!.timeMs] as const,
    );
    this.#changed.clear();
    return changes;
  }

  #advance(): void {
    const busy = Array.from(this.#inputs.values()).filter((input) => !input.isIdle);
    if (busy.length === 0) return;
    this.#timeMs = Math.max(this.#timeMs, Math.min(...busy.map((input) => input.timeMs)));
  }
}
