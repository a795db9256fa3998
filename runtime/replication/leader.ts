// PartitionLeader: the role of a partition that this broker leads and others copy. Counts what followers have, moves
// the high watermark, answers acks=all, and asks for changes of the in-sync replicas. Made by `replicas.ts` for one
// leader epoch; nothing of it survives the next.

import type { PartitionRecord } from "../../cluster/control-plane.ts";
import type { Appended } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { Partition } from "../log/partition.ts";
import type { LeaderRole } from "../log/partition-host.ts";
import type { Clock } from "../platform.ts";
import { type IsEligible, type IsrWish, LeaderState } from "./leader-state.ts";
import { ReplicationWaits } from "./replication-waits.ts";

/** Who asks the control plane, many partitions at once. */
export interface IsrKeeper {
  readonly clock: Clock;
  readonly isEligible: IsEligible;
  wish(leader: PartitionLeader, wish: IsrWish): void;
}

/** A replica's fetch of one partition, as far as the leader counts it. */
export interface CountedFetch {
  readonly replicaId: number;
  readonly brokerEpoch: number;
  readonly leaderEpoch: number;
  readonly offset: number;
}

/** How long a coordinator's own records wait for replicas: Kafka's offsets.commit.timeout.ms. */
const ownTimeoutMs = 5_000;

export class PartitionLeader implements LeaderRole {
  readonly partition: Partition;
  readonly state: LeaderState;
  readonly #keeper: IsrKeeper;
  readonly #waits: ReplicationWaits;
  #replicaCount: number;

  constructor(keeper: IsrKeeper, partition: Partition, record: PartitionRecord, self: number) {
    this.#keeper = keeper;
    this.partition = partition;
    this.#replicaCount = record.replicas.length;
    this.state = new LeaderState({
      ...record,
      self,
      startOffset: partition.log.endOffset,
      highWatermark: partition.highWatermark,
      nowMs: keeper.clock.monotonicMs(),
    });
    const name = `${partition.topic}-${partition.partition}`;
    this.#waits = new ReplicationWaits({
      clock: keeper.clock,
      name,
      tooFew: () => this.#tooFew("NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
    });
  }

  /** A newer record of the same leader epoch. */
  commit(record: PartitionRecord): void {
    this.#replicaCount = record.replicas.length;
    this.state.commit(record, this.#keeper.clock.monotonicMs());
    this.#advance();
  }

  get isSettled(): boolean {
    return this.state.isSettled;
  }

  checkInSync(): void {
    const tooFew = this.#tooFew("NOT_ENOUGH_REPLICAS");
    if (tooFew !== undefined) throw tooFew;
  }

  ownEndMoved(offset: number): void {
    this.state.ownEndMoved(offset);
    this.#advance();
  }

  replicated(appended: Appended, timeoutMs = ownTimeoutMs): Appended | Promise<Appended> {
    if (this.state.highWatermark < appended.nextOffset) {
      return this.#waits.until(appended, timeoutMs);
    }
    const tooFew = this.#tooFew("NOT_ENOUGH_REPLICAS_AFTER_APPEND");
    if (tooFew !== undefined) throw tooFew;
    return appended;
  }

  /** A replica's fetch that agrees with this log up to its offset. */
  count(fetch: CountedFetch): void {
    const { clock } = this.#keeper;
    const leaderEnd = this.partition.log.endOffset;
    const counted = this.state.fetched({ ...fetch, nowMs: clock.monotonicMs(), leaderEnd });
    if (!counted) return;
    this.reconsider(fetch.replicaId);
    this.#advance();
  }

  /** The replica may be ready to join: it has fetched, or the control plane says that it may now. */
  reconsider(replicaId: number): void {
    const wish = this.state.joining(replicaId, this.#keeper.isEligible);
    if (wish !== null) this.#ask(wish);
  }

  /** Lets go of those that have been behind for longer than `lagMsMax`. */
  dropLagging(lagMsMax: number): void {
    const wish = this.state.lagging(this.#keeper.clock.monotonicMs(), lagMsMax);
    if (wish !== null) this.#ask(wish);
  }

  /** The leadership is over: whoever waits is told. */
  resign(error: BrokerError): void {
    this.#waits.fail(error);
  }

  #ask(wish: IsrWish): void {
    this.state.asked(wish);
    this.#keeper.wish(this, wish);
  }

  #advance(): void {
    if (!this.state.advance(this.#inSyncMin)) return;
    this.partition.raiseHighWatermark(this.state.highWatermark);
    this.#waits.settle(this.state.highWatermark);
  }

  /** More than there are replicas can never be in sync. */
  get #inSyncMin(): number {
    return Math.min(this.partition.config.minInsyncReplicas, this.#replicaCount);
  }

  #tooFew(code: "NOT_ENOUGH_REPLICAS" | "NOT_ENOUGH_REPLICAS_AFTER_APPEND") {
    const { inSyncCount } = this.state;
    if (inSyncCount >= this.#inSyncMin) return undefined;
    const { topic, partition, config } = this.partition;
    return new BrokerError(
      code,
      `${topic}-${partition} has ${inSyncCount} in-sync replicas, min.insync.replicas is ` +
        `${config.minInsyncReplicas}`,
    );
  }
}
