// One reader of the metadata stream: gives entries in order, a window of them in flight, says when it has caught up,
// and notices when the stream is not the one it read before. Used by `nats-log.ts` only.

import { LogUnavailable, type MetadataLog, type Sequence } from "./metadata-log.ts";
import type { NatsStream } from "./nats-stream.ts";

/** What the server says of the stream; undefined: there is none. */
export interface StreamState {
  readonly info: Awaited<ReturnType<NatsStream["info"]>>;
}

/** Entries asked for at once while catching up. */
const WINDOW = 32;
/** Looks in one go; a stream that grows faster is looked at again with the next poll. */
const ROUNDS_MAX = 10_000;

export class NatsFollower {
  readonly #stream: NatsStream;
  readonly #listener: Parameters<MetadataLog["follow"]>[1];
  #at: Sequence;
  /** When the store was made: another time means another store. */
  #created: string | undefined;
  #isCaughtUp = false;
  #isEnded = false;
  #isLooking = false;
  #mustLookAgain = false;

  constructor(stream: NatsStream, from: Sequence, listener: Parameters<MetadataLog["follow"]>[1]) {
    this.#stream = stream;
    this.#at = from;
    this.#listener = listener;
  }

  /** Reads what is there; `known` spares asking how much that is. Failures are left to the next poll. */
  look(known?: StreamState): void {
    if (this.#isEnded) return;
    this.#mustLookAgain = true;
    // A look under way began before this was known, and asks again when it is through.
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#lookOn(known).finally(() => {
      this.#isLooking = false;
    });
  }

  reconnected(): void {
    this.#isCaughtUp = false;
    this.look();
  }

  end(): void {
    this.#isEnded = true;
  }

  async #lookOn(first: StreamState | undefined): Promise<void> {
    let known = first;
    for (let round = 0; round < ROUNDS_MAX && this.#mustLookAgain && !this.#isEnded; round++) {
      this.#mustLookAgain = false;
      try {
        await this.#lookOnce(known ?? { info: await this.#stream.info() });
        known = undefined;
      } catch {
        // The server does not answer: the poll says so, and comes again.
        return;
      }
    }
  }

  async #lookOnce({ info }: StreamState): Promise<void> {
    if (this.#isEnded) return;
    const last = info?.state.last_seq ?? 0;
    const first = info?.state.first_seq ?? 0;
    const created = info?.created ?? "";
    if (last < this.#at || (this.#created !== undefined && this.#created !== created))
      this.#reset();
    this.#created = created;
    // What was trimmed is in the snapshot that stands before the first entry kept.
    this.#at = Math.max(this.#at, Math.min(first - 1, last));
    while (this.#at < last && !this.#isEnded) await this.#readWindow(last);
    if (this.#isCaughtUp || this.#isEnded) return;
    this.#isCaughtUp = true;
    this.#listener.caughtUp(last);
  }

  async #readWindow(last: Sequence): Promise<void> {
    const from = this.#at + 1;
    const count = Math.min(WINDOW, last - this.#at);
    const sequences = Array.from({ length: count }, (_, index) => from + index);
    const entries = await Promise.all(sequences.map((sequence) => this.#stream.read(sequence)));
    for (const [index, entry] of entries.entries()) {
      if (this.#isEnded) return;
      const sequence = sequences[index]!;
      // Trimmed while it was read, or not to be had yet: the next look tells which.
      if (entry === undefined) throw new LogUnavailable(`entry ${sequence} is not there`);
      this.#at = sequence;
      this.#listener.entry({ sequence, bytes: entry.bytes });
    }
  }

  #reset(): void {
    this.#at = 0;
    this.#isCaughtUp = false;
    this.#listener.reset();
  }
}
