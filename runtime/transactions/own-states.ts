// OwnStates: the part of __transaction_state that this broker leads. Reads what it comes to lead, lets go of what it
// leads no more, and knows of every transactional id whether it can be served here. Used by `coordinator.ts`.

import { BrokerError } from "../errors.ts";
import type { Clock } from "../platform.ts";
import type { StateLog } from "./state-log.ts";
import type { Transaction } from "./transaction.ts";

interface Part {
  /** Leadership under which it was read: another one may have written since. */
  readonly leaderEpoch: number;
  stage: "loading" | "ready" | "failed";
}

export interface LoadProgress {
  readonly partitions: number;
  readonly done: number;
}

/** A load that takes longer says how far it is, this often. */
const progressEveryMs = 2_000;

export interface OwnStatesOptions {
  readonly log: StateLog;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** A part was read: all its states, in any order. */
  loaded(states: Iterable<Transaction>): void;
  /** Its leadership ended: nothing of it is this broker's any more. */
  dropped(partition: number): void;
  report(error: unknown, where: string): void;
}

export class OwnStates {
  readonly #options: OwnStatesOptions;
  readonly #parts = new Map<number, Part>();
  /** Before the first look nobody knows what is led here. */
  #hasLooked = false;
  #isClosed = false;

  constructor(options: OwnStatesOptions) {
    this.#options = options;
  }

  close(): void {
    this.#isClosed = true;
  }

  get isLoading(): boolean {
    return [...this.#parts.values()].some(({ stage }) => stage === "loading");
  }

  /** Leadership of the id's part, undefined when it cannot be served here now. */
  epochOf(transactionalId: string): number | undefined {
    const part = this.#parts.get(this.#options.log.partitionOf(transactionalId));
    return part?.stage === "ready" ? part.leaderEpoch : undefined;
  }

  /** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR. */
  requireLoaded(transactionalId: string): void {
    const index = this.#options.log.partitionOf(transactionalId);
    const stage = this.#parts.get(index)?.stage;
    // Without the topic there never was an id.
    if (stage === "ready" || index < 0) return;
    if (stage === "loading" || !this.#hasLooked) throw loadInProgress();
    throw stage === "failed"
      ? new BrokerError(
          "COORDINATOR_NOT_AVAILABLE",
          "the transaction could not be read: see the log",
        )
      : new BrokerError("NOT_COORDINATOR", "another broker coordinates this transaction");
  }

  /** Takes over what this broker leads by now, and lets go of the rest. Returns how many states were read. */
  async follow(progress: (progress: LoadProgress) => void = () => {}): Promise<number> {
    const { clock } = this.#options;
    const toRead = this.#take();
    let saidMs = clock.monotonicMs();
    let count = 0;
    for (const [done, index] of toRead.entries()) {
      if (clock.monotonicMs() - saidMs >= progressEveryMs) {
        saidMs = clock.monotonicMs();
        progress({ done, partitions: toRead.length });
      }
      count += await this.#load(index);
    }
    return count;
  }

  /** Drops what is over, and returns what has to be read. */
  #take(): number[] {
    const { log, dropped } = this.#options;
    const toRead: number[] = [];
    this.#hasLooked = true;
    for (let index = 0; index < log.partitionCount; index++) {
      const led = log.led(index);
      const known = this.#parts.get(index);
      if (led?.leaderEpoch === known?.leaderEpoch) continue;
      this.#parts.delete(index);
      if (known !== undefined) dropped(index);
      if (led === undefined || this.#isClosed) continue;
      const { leaderEpoch, isEmpty } = led;
      this.#parts.set(index, { leaderEpoch, stage: isEmpty ? "ready" : "loading" });
      if (!isEmpty) toRead.push(index);
    }
    return toRead;
  }

  async #load(index: number): Promise<number> {
    const { log, loaded, report } = this.#options;
    const part = this.#parts.get(index);
    const isStopped = () => this.#isClosed || this.#parts.get(index) !== part;
    if (part === undefined || part.stage !== "loading") return 0;
    try {
      const states = await log.load(index, report, isStopped);
      if (isStopped()) return 0;
      part.stage = "ready";
      loaded(states.values());
      return states.size;
    } catch (error) {
      if (isStopped()) return 0;
      part.stage = "failed";
      report(error, `reading partition ${index} of the transactions' states`);
      return 0;
    }
  }
}

export function loadInProgress(): BrokerError {
  return new BrokerError(
    "COORDINATOR_LOAD_IN_PROGRESS",
    "transactions are being read from __transaction_state: try again",
  );
}
