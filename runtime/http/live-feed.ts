// LiveFeed: one read of a partition for all who tail it. A turn that was read is encoded once for each form and the same
// bytes go to every tail that stands where the turn begins. Whoever is elsewhere, a newcomer or a slow reader, reads by
// itself up to the feed and joins it. Knows nothing of HTTP; both doors' live reads stand on it.

import type { Clock } from "../platform.ts";
import type { LiveTail, TurnForm } from "./live-tail.ts";

/** Something that was read: from one position to the next. */
export interface Turn {
  readonly from: number;
  readonly next: number;
  /** Nothing more was there. */
  readonly isUpToDate: boolean;
  /** And nothing more will come: tails end after it. */
  readonly isLast: boolean;
}

export interface TurnRequest {
  readonly position: number;
  /** First position not wanted; absent: all there is. */
  readonly endPosition?: number;
  /** For the first record, if there is none. */
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

/** How a turn is read, and how long its tails may be silent. */
export interface TurnSource<T extends Turn> {
  read(request: TurnRequest): Promise<T>;
  readonly keepaliveMs: number;
  /** Told of a failure that is ours. */
  readonly report: (error: unknown) => void;
}

/** Turns kept for tails that are a little behind: each holds a fetch's bytes. */
const recentTurnsMax = 4;
/** Tails served before others get their turn of the event loop. */
const tailsPerSlice = 256;

export class LiveFeed<T extends Turn> {
  readonly source: TurnSource<T>;
  readonly clock: Clock;
  readonly #tails = new Set<LiveTail<T>>();
  /** By what makes them differ: a few each. */
  readonly #forms = new Map<string, TurnForm<T>>();
  readonly #forgotten: () => void;
  readonly #gone = new AbortController();
  /** Where the next turn begins; null while no tail waits there. */
  #head: number | null = null;
  #recent: T[] = [];
  #wake: (() => void) | null = null;

  /** `forgotten` is called once, when the last tail has left: this feed reads no more then. */
  constructor(source: TurnSource<T>, clock: Clock, forgotten: () => void) {
    this.source = source;
    this.clock = clock;
    this.#forgotten = forgotten;
  }

  get head(): number | null {
    return this.#head;
  }

  get isOver(): boolean {
    return this.#gone.signal.aborted;
  }

  add(tail: LiveTail<T>): void {
    this.#tails.add(tail);
    if (this.#tails.size === 1) void this.#run();
  }

  remove(tail: LiveTail<T>): void {
    if (!this.#tails.delete(tail) || this.#tails.size > 0) return;
    this.#gone.abort();
    this.#wake?.();
    this.#forgotten();
  }

  /** The form that tails of this `key` share. */
  form(key: string, make: () => TurnForm<T>): TurnForm<T> {
    let form = this.#forms.get(key);
    if (form === undefined) {
      form = make();
      this.#forms.set(key, form);
    }
    return form;
  }

  /** A turn that was read lately and begins at `position`. */
  recent(position: number): T | undefined {
    return this.#recent.find(({ from }) => from === position);
  }

  /** Reads on from `position`, the end as a tail saw it, unless the feed waits elsewhere. */
  begin(position: number): void {
    if (this.#head !== null) return;
    this.#head = position;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (!this.isOver) {
      const waitMs = Math.ceil(this.source.keepaliveMs / 2);
      if (this.#head === null) await this.#sleep(waitMs);
      else await this.#turn(this.#head, waitMs);
      if (this.isOver) return;
      await this.#serve();
    }
  }

  async #turn(position: number, waitMs: number): Promise<void> {
    const { signal } = this.#gone;
    try {
      const turn = await this.source.read({ position, waitMs, signal });
      if (signal.aborted || turn.next === position) {
        if (turn.isLast) this.#fresh(turn);
        return;
      }
      this.#fresh(turn);
    } catch (error) {
      if (signal.aborted) return;
      this.source.report(error);
      for (const tail of [...this.#tails]) if (tail.position === position) tail.fail(error);
      this.#head = null;
    }
  }

  #fresh(turn: T): void {
    this.#head = turn.next;
    this.#recent.push(turn);
    if (this.#recent.length > recentTurnsMax) this.#recent.shift();
  }

  /** Every tail takes what there is for it. Those far behind read by themselves meanwhile. */
  async #serve(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    let served = 0;
    let isAnyBehind = false;
    for (const tail of this.#tails) {
      tail.goOn();
      tail.lookAtTime(nowMs, this.source.keepaliveMs);
      if (tail.position !== this.#head) isAnyBehind = true;
      if (++served % tailsPerSlice === 0) await new Promise<void>((go) => this.clock.soon(go));
    }
    if (!isAnyBehind) this.#recent = [];
    if (!this.#isAwaited()) this.#head = null;
  }

  /** Whether anybody waits at the head: reading on would be for nobody else. */
  #isAwaited(): boolean {
    for (const tail of this.#tails) if (tail.isReady && tail.position === this.#head) return true;
    return false;
  }

  #sleep(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.after(waitMs, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = null;
        timer.cancel();
        resolve();
      };
    });
  }
}

/** The feeds of one kind, by partition. */
export class LiveFeeds<T extends Turn> {
  readonly #clock: Clock;
  readonly #feeds = new Map<string, LiveFeed<T>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Where the feed of `key` reads, if there is one: a newcomer need not read further by itself. */
  head(key: string): number | undefined {
    return this.#feeds.get(key)?.head ?? undefined;
  }

  /** The feed of `key`; `source` makes one. */
  open(key: string, source: () => TurnSource<T>): LiveFeed<T> {
    let feed = this.#feeds.get(key);
    if (feed === undefined) {
      feed = new LiveFeed(source(), this.#clock, () => this.#feeds.delete(key));
      this.#feeds.set(key, feed);
    }
    return feed;
  }
}
