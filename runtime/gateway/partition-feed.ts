// PartitionFeed: the newest batches of one upstream partition, fetched once for everybody who waits at its end. It
// reads as long as somebody is interested, keeps a bounded number of bytes, and gives up on the first error: its
// readers then ask the upstream themselves and hear of it.

import type { FetchedPartition } from "../broker.ts";
import { batchHeaderBytes, batchLength, readBatchFacts } from "../http/batch-facts.ts";
import type { Clock } from "../platform.ts";

/** One wait at the upstream. */
export const pollWaitMs = 5_000;
export const pollBytesMax = 1024 * 1024;
/** Without readers for so long it ends: a tail is no reader while its client takes the last records. */
const lingerMs = 5_000;
/** An upstream that answers nothing at once is not asked again at once. */
const pauseMs = 20;

/** What all feeds keep together. */
export interface FeedBudget {
  readonly bytesMax: number;
  bytes: number;
}

export interface PartitionFeedOptions {
  readonly clock: Clock;
  readonly budget: FeedBudget;
  /** Of this feed alone. */
  readonly bytesMax: number;
  /** Where its first reader waits, and the empty answer it got there. */
  readonly offset: number;
  readonly first: FetchedPartition;
  /** Rejects, or tells an error, when the partition cannot be read. */
  readonly poll: (offset: number) => Promise<FetchedPartition>;
  readonly ended: () => void;
}

/** The answer to one poll; a reader in it gets all of it, so that its aborted transactions are told right. */
interface Piece {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  readonly answer: FetchedPartition;
}

export class PartitionFeed {
  readonly #options: PartitionFeedOptions;
  #pieces: Piece[] = [];
  #bytes = 0;
  #end: number;
  #last: FetchedPartition;
  #usedMs: number;
  #readers = new Set<() => void>();
  #isOver = false;

  constructor(options: PartitionFeedOptions) {
    this.#options = options;
    this.#end = options.offset;
    this.#last = options.first;
    this.#usedMs = options.clock.monotonicMs();
    void this.#run();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  close(): void {
    this.#finish();
  }

  /** From `offset` on, up to about `bytesMax`; empty at the end; null where the upstream must be asked. */
  read(offset: number, bytesMax: number): FetchedPartition | null {
    this.#usedMs = this.#options.clock.monotonicMs();
    if (this.#isOver) return null;
    if (offset === this.#end) return withParts(this.#last, [], []);
    const at = this.#pieces.findIndex(({ from, to }) => from <= offset && offset < to);
    if (at < 0) return null;
    const taken: Piece[] = [];
    let bytes = 0;
    for (let i = at; i < this.#pieces.length; i++) {
      const piece = this.#pieces[i]!;
      if (taken.length > 0 && bytes + piece.bytes.length > bytesMax) break;
      taken.push(piece);
      bytes += piece.bytes.length;
    }
    const first = taken[0]!;
    const isWhole = offset === first.from;
    // Transactions that ended before the offset would hide records behind it.
    if (!isWhole && first.answer.abortedTransactions.length > 0) return null;
    const parts = taken.map((piece) => piece.bytes);
    if (!isWhole) parts[0] = fromOffset(first.bytes, offset);
    return withParts(this.#last, taken, parts);
  }

  /** Calls `wake`, later, once there is something behind `offset` or the feed is over; returns how to stop it. */
  wait(offset: number, wake: () => void): () => void {
    if (this.#isOver || this.#end > offset) {
      queueMicrotask(wake);
      return () => {};
    }
    this.#readers.add(wake);
    return () => {
      this.#usedMs = this.#options.clock.monotonicMs();
      this.#readers.delete(wake);
    };
  }

  async #run(): Promise<void> {
    const { clock, poll } = this.#options;
    try {
      while (!this.#isOver) {
        const startMs = clock.monotonicMs();
        if (this.#readers.size === 0 && startMs - this.#usedMs > lingerMs) break;
        const answer = await poll(this.#end);
        if (this.#isOver || answer.error !== null) break;
        const isEmpty = !this.#take(answer);
        if (isEmpty && clock.monotonicMs() - startMs < pauseMs) await this.#pause();
      }
    } catch {
      // Whoever reads on meets the error in an answer of its own.
    }
    this.#finish();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(pauseMs, resolve));
  }

  /** False if there was nothing new. */
  #take(answer: FetchedPartition): boolean {
    this.#last = answer;
    const { bytes, end } = wholeBatches(bytesOf(answer));
    if (end > this.#end) {
      this.#pieces.push({ from: this.#end, to: end, bytes, answer });
      this.#add(bytes.length);
      this.#end = end;
      this.#trim();
    }
    if (bytes.length > 0) this.#wake();
    return bytes.length > 0;
  }

  #trim(): void {
    const { bytesMax, budget } = this.#options;
    while (this.#pieces.length > 1 && (this.#bytes > bytesMax || budget.bytes > budget.bytesMax)) {
      this.#add(-this.#pieces.shift()!.bytes.length);
    }
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    this.#options.budget.bytes += bytes;
  }

  #wake(): void {
    const readers = this.#readers;
    this.#readers = new Set();
    for (const wake of readers) wake();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pieces = [];
    this.#add(-this.#bytes);
    this.#options.ended();
    this.#wake();
  }
}

function withParts(
  last: FetchedPartition,
  pieces: readonly Piece[],
  parts: readonly Uint8Array[],
): FetchedPartition {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return {
    ...last,
    abortedTransactions: abortedIn(pieces),
    records: { length, parts, release() {} },
  };
}

function abortedIn(pieces: readonly Piece[]): FetchedPartition["abortedTransactions"] {
  if (pieces.length === 1) return pieces[0]!.answer.abortedTransactions;
  const found = new Map<string, FetchedPartition["abortedTransactions"][number]>();
  for (const { answer } of pieces) {
    for (const each of answer.abortedTransactions) {
      found.set(`${each.producerId} ${each.firstOffset}`, each);
    }
  }
  return [...found.values()];
}

/** Of an upstream answer, which is always in memory. */
export function bytesOf({ records }: FetchedPartition): Uint8Array {
  const [part] = records.parts;
  return part instanceof Uint8Array ? part : new Uint8Array(0);
}

/** Kafka may cut off the last batch. `end`: the offset behind the last whole one, -1 if there is none. */
export function wholeBatches(bytes: Uint8Array): { bytes: Uint8Array; end: number } {
  let at = 0;
  let end = -1;
  while (bytes.length - at >= batchHeaderBytes) {
    const length = batchLength(bytes, at);
    if (bytes.length - at < length) break;
    end = readBatchFacts(bytes, at).lastOffset + 1;
    at += length;
  }
  return { bytes: at === bytes.length ? bytes : bytes.subarray(0, at), end };
}

function fromOffset(bytes: Uint8Array, offset: number): Uint8Array {
  let at = 0;
  while (bytes.length - at >= batchHeaderBytes && readBatchFacts(bytes, at).lastOffset < offset) {
    at += batchLength(bytes, at);
  }
  return bytes.subarray(at);
}
