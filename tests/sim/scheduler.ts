// The simulator's time: a queue of events, run one by one. What an event causes in promises runs before the next one,
// so a run depends on nothing but its seed; a hash over all events tells two runs apart.

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly owner: Owner;
  readonly what: number;
  run: (() => void) | undefined;
}

/** Whose code an event runs. */
export interface Owner {
  readonly name: string;
  readonly number: number;
  /** False: the process is no more, its events do not happen. */
  readonly isAlive: boolean;
  /** Takes an event that cannot happen now because the process stands still; true: taken. */
  hold?(run: () => void): boolean;
}

export interface Cancellable {
  cancel(): void;
}

/** Kinds of events, for the hash. */
export const Kind = { timer: 1, soon: 2, network: 3, disk: 4, metadata: 5, test: 6 } as const;

/** Immediates asked for at once; each runs one event, and between two all promises are settled. */
const eventsPerTurn = 32;

export class Scheduler {
  nowMs = 0;
  events = 0;
  #hash = 0x811c9dc5;
  #order = 0;
  readonly #heap: Event[] = [];
  #failure: unknown;
  #before: (() => void)[] = [];

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** Something that tells runs apart but is no event: bytes sent, values drawn. */
  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
  }

  after(delayMs: number, owner: Owner, what: number, run: () => void): Cancellable {
    const atMs = this.nowMs + Math.max(0, delayMs);
    const event: Event = { atMs, order: this.#order++, owner, what, run };
    push(this.#heap, event);
    return {
      cancel() {
        event.run = undefined;
      },
    };
  }

  /** No event: whoever only looks changes nothing. All that the event under way causes at once is done by then. */
  beforeNext(look: () => void): void {
    this.#before.push(look);
  }

  /** Runs until `isDone` or `endMs`; rejects with what an event threw. */
  run(isDone: () => boolean, endMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const step = () => {
        if (isOver) return;
        if (isDone() || !this.#hasUntil(endMs)) {
          isOver = true;
          resolve();
          return;
        }
        this.#step();
        if (this.#failure === undefined) return;
        isOver = true;
        reject(this.#failure);
      };
      const turn = () => {
        if (isOver) return;
        for (let i = 0; i < eventsPerTurn; i++) setImmediate(step);
        setImmediate(turn);
      };
      turn();
    });
  }

  #hasUntil(endMs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined) return false;
      if (next.run !== undefined && next.owner.isAlive) return next.atMs <= endMs;
      pop(this.#heap);
    }
  }

  #step(): void {
    if (this.#before.length > 0) for (const look of this.#before.splice(0)) look();
    const event = pop(this.#heap)!;
    const { atMs, owner, what } = event;
    this.nowMs = Math.max(this.nowMs, atMs);
    // What is held may still be cancelled.
    if (owner.hold?.(() => event.run?.())) return;
    this.events++;
    this.mix(what | (owner.number << 4));
    this.mix(Math.round(this.nowMs * 1_000));
    try {
      event.run!();
    } catch (error) {
      this.#failure ??= error;
    }
  }
}

// ---- a heap by time, then by the order in which events were asked for ----

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (!isBefore(event, heap[above]!)) break;
    heap[at] = heap[above]!;
    at = above;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++;
    if (!isBefore(heap[below]!, last)) break;
    heap[at] = heap[below]!;
    at = below;
  }
  heap[at] = last;
  return first;
}
