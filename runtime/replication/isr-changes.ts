// ISR changes on their way to the control plane: those of one turn of the event loop in one question, and again until
// they are answered for good. A change whose fate is unknown keeps counting at its leader (see `leader-state.ts`).

import type { ControlPlane, IsrChange, PartitionOutcome } from "../../cluster/control-plane.ts";
import type { Clock, Timer } from "../platform.ts";
import type { PartitionLeader } from "./leader.ts";
import type { IsrWish } from "./leader-state.ts";

/** Wait before a question that was not answered is asked again. */
const retryMs = 100;
/** Partitions in one question. */
const changesMax = 1_000;

export interface IsrChangesOptions {
  readonly clock: Clock;
  readonly controlPlane: Pick<ControlPlane, "alterIsr" | "state">;
  /** Told of what nobody expects. */
  report(error: unknown, where: string): void;
}

export class IsrChanges {
  readonly #options: IsrChangesOptions;
  readonly #wishes = new Map<PartitionLeader, IsrWish>();
  #isAsking = false;
  #isScheduled = false;
  #timer: Timer | undefined;
  #isClosed = false;

  /** Why the last question failed. */
  #reported: string | undefined;

  constructor(options: IsrChangesOptions) {
    this.#options = options;
  }

  wish(leader: PartitionLeader, wish: IsrWish): void {
    this.#wishes.set(leader, wish);
    this.#askSoon();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#wishes.clear();
  }

  #askSoon(): void {
    if (this.#isAsking || this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    this.#options.clock.soon(() => {
      this.#isScheduled = false;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    const asked = this.#current();
    if (asked.length === 0 || this.#isClosed) return;
    this.#isAsking = true;
    let again = false;
    try {
      const changes = asked.map(([leader, wish]) => this.#change(leader, wish));
      const outcomes = await this.#options.controlPlane.alterIsr(changes);
      this.#reported = undefined;
      for (const [i, outcome] of outcomes.entries()) {
        again = this.#answered(asked[i]!, outcome) || again;
      }
    } catch (error) {
      // The control plane refuses by outcomes; whatever this is, the wishes still stand.
      this.#report(error);
      again = true;
    }
    this.#isAsking = false;
    if (!again) this.#askSoon();
    else this.#timer = this.#options.clock.after(retryMs, () => this.#askSoon());
  }

  /** Once, however often it is asked in vain. */
  #report(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#reported) return;
    this.#reported = message;
    this.#options.report(error, "changing in-sync replicas");
  }

  /** Wishes that still stand: a newer record of the control plane ends one. */
  #current(): [PartitionLeader, IsrWish][] {
    for (const [leader, wish] of this.#wishes) {
      if (leader.state.pending !== wish) this.#wishes.delete(leader);
    }
    return [...this.#wishes].slice(0, changesMax);
  }

  /** True: to be asked again. */
  #answered([leader, wish]: [PartitionLeader, IsrWish], { fault }: PartitionOutcome): boolean {
    if (fault === "unavailable" || fault === "stale-broker-epoch") return true;
    if (this.#wishes.get(leader) === wish) this.#wishes.delete(leader);
    // A stale partition epoch says that another record is on its way, which may be this very change.
    if (fault !== null && fault !== "stale-partition-epoch" && fault !== "fenced-leader-epoch") {
      leader.state.refused(wish);
    }
    return false;
  }

  #change({ partition, state }: PartitionLeader, { isr }: IsrWish): IsrChange {
    const { brokers } = this.#options.controlPlane.state();
    return {
      topicId: partition.topicId,
      partition: partition.partition,
      leaderEpoch: state.leaderEpoch,
      partitionEpoch: state.partitionEpoch,
      // Of members not heard of in this leadership the registered incarnation is meant.
      isr: isr.map(({ id, epoch }) => ({
        id,
        epoch: epoch >= 0 ? epoch : (brokers.get(id)?.epoch ?? -1),
      })),
    };
  }
}
