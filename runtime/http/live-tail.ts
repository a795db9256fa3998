// LiveTail: one client that follows a partition: where it is, whether its connection takes more, when its time is over.
// Kept small, since there are thousands: no timer, no promise and no buffer of its own while it waits at the feed.

import type { BodySink, BodySource } from "../pushed-body.ts";
import { errorEvent, keepaliveComment } from "./event-stream.ts";
import type { LiveFeed, Turn } from "./live-feed.ts";

/** How turns are written. Tails of the same form get the same bytes. */
export interface TurnForm<T extends Turn> {
  encode(turn: T): Uint8Array;
}

/** Encodes a turn when the first of its tails asks. */
export class SharedForm<T extends Turn> implements TurnForm<T> {
  readonly #encode: (turn: T) => string;
  #turn: T | null = null;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(encode: (turn: T) => string) {
    this.#encode = encode;
  }

  encode(turn: T): Uint8Array {
    if (turn !== this.#turn) {
      this.#bytes = encoder.encode(this.#encode(turn));
      this.#turn = turn;
    }
    return this.#bytes;
  }
}

export interface TailParts<T extends Turn> {
  readonly form: TurnForm<T>;
  /** What was read before there was an answer; its `opening` is sent in front of it. */
  readonly first: T;
  readonly opening: string;
  readonly lifeMs: number;
  /** Called once, at the end. */
  readonly release: () => void;
}

const encoder = new TextEncoder();
const silence = encoder.encode(keepaliveComment);
const nothing = new Uint8Array(0);

export class LiveTail<T extends Turn> implements BodySource {
  /** The client takes more. */
  isReady = false;
  readonly #feed: LiveFeed<T>;
  readonly #form: TurnForm<T>;
  readonly #release: () => void;
  readonly #endsAtMs: number;
  #opening: { readonly text: string; readonly turn: T } | null;
  #position: number;
  #isUpToDate: boolean;
  #isReading = false;
  #isOver = false;
  #sink: BodySink | null = null;
  #spokenMs: number;

  constructor(feed: LiveFeed<T>, { form, first, opening, lifeMs, release }: TailParts<T>) {
    this.#feed = feed;
    this.#form = form;
    this.#release = release;
    this.#opening = { text: opening, turn: first };
    this.#position = first.from;
    this.#isUpToDate = first.isUpToDate;
    this.#spokenMs = feed.clock.monotonicMs();
    this.#endsAtMs = this.#spokenMs + lifeMs;
    feed.add(this);
  }

  get position(): number {
    return this.#position;
  }

  start(sink: BodySink): void {
    const opening = this.#opening;
    if (this.#isOver || opening === null) {
      sink.end();
      return;
    }
    this.#opening = null;
    this.#sink = sink;
    this.isReady = true;
    this.#take(opening.turn, encoder.encode(opening.text));
    this.goOn();
  }

  ready(): void {
    this.isReady = true;
    this.goOn();
  }

  gone(): void {
    this.#finish();
  }

  /** Sends what there is for it, as long as its client takes it. */
  goOn(): void {
    while (this.isReady && !this.#isReading && !this.#isOver) {
      const turn = this.#feed.recent(this.#position);
      if (turn === undefined) {
        this.#wait();
        return;
      }
      this.#take(turn);
    }
  }

  /** Ends its life, or breaks a long silence. */
  lookAtTime(nowMs: number, keepaliveMs: number): void {
    if (this.#isOver) return;
    if (nowMs >= this.#endsAtMs) this.#end();
    else if (this.isReady && nowMs - this.#spokenMs >= keepaliveMs) this.#write(silence);
  }

  /** Tells an error in the stream, then ends. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#write(encoder.encode(errorEvent(error)));
    this.#end();
  }

  /** At the feed's head, or before it, the feed comes along; behind it the tail reads by itself. */
  #wait(): void {
    const { head } = this.#feed;
    if (head !== null && this.#position >= head) return;
    if (head === null && this.#isUpToDate) this.#feed.begin(this.#position);
    else void this.#readOn(head);
  }

  async #readOn(head: number | null): Promise<void> {
    this.#isReading = true;
    const position = this.#position;
    try {
      const end = head === null ? {} : { endPosition: head };
      const turn = await this.#feed.source.read({ position, waitMs: 0, ...end });
      if (this.#isOver) return;
      this.#isUpToDate = turn.isUpToDate || turn.next === position;
      if (turn.next > position || turn.isLast) {
        this.#take(turn);
      } else if (head !== null) return;
    } catch (error) {
      if (this.#isOver) return;
      this.#feed.source.report(error);
      this.fail(error);
    } finally {
      this.#isReading = false;
    }
    this.goOn();
  }

  /** Moved before it is written: a sink may ask for more while it takes the bytes. */
  #take(turn: T, before = nothing): void {
    this.#position = turn.next;
    this.#isUpToDate = turn.isUpToDate;
    const bytes = this.#form.encode(turn);
    this.#write(before.length === 0 ? bytes : joined(before, bytes));
    if (turn.isLast) this.#end();
  }

  #write(bytes: Uint8Array): void {
    if (this.#sink === null || bytes.length === 0) return;
    this.#spokenMs = this.#feed.clock.monotonicMs();
    this.isReady = false;
    if (this.#sink.write(bytes)) this.isReady = true;
  }

  #end(): void {
    const sink = this.#sink;
    this.#finish();
    sink?.end();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.isReady = false;
    this.#sink = null;
    this.#opening = null;
    this.#feed.remove(this);
    this.#release();
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
