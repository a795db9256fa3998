// Leaders: finds who leads a partition, asks it, and asks whoever leads next when that was the wrong one or it
// fell silent. A request waits so long for a leader that answers, and no longer.

import type { ClusterState, PartitionRecord, TopicRecord } from "../../cluster/control-plane.ts";
import type { TopicPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { Clock } from "../platform.ts";
import type { Leader } from "./leader-calls.ts";
import { isStale, untilLedElsewhere, wait } from "./leader-changes.ts";

/** How long a request waits for a leader that answers. */
export const leaderWaitMsMax = 10_000;
const retryMs = 20;
const retryMsMax = 200;

/** Who leads. `leader: null`: this broker. */
export interface Lead {
  readonly leader: Leader | null;
  readonly topic: TopicRecord;
}

export class Leaders {
  readonly #clock: Clock;
  readonly #brokerId: number;
  readonly #cluster: () => ClusterState;
  readonly #mayChange: (place: TopicPartition) => boolean;

  /** `mayChange` is told of each stale answer; false: nobody else can be asked now. */
  constructor(
    clock: Clock,
    broker: { readonly brokerId: number; cluster(): ClusterState },
    mayChange: (place: TopicPartition) => boolean = () => true,
  ) {
    this.#clock = clock;
    this.#brokerId = broker.brokerId;
    this.#cluster = () => broker.cluster();
    this.#mayChange = mayChange;
  }

  record({ topic, partition }: TopicPartition): PartitionRecord | undefined {
    return this.#cluster().topics.get(topic)?.partitions[partition];
  }

  /** Asks the leader, and whoever leads next. */
  at<T>(place: TopicPartition, ask: (at: Lead) => T | Promise<T>): Promise<T> {
    return this.retried(
      () => this.#askNow(place, ask),
      (error) => this.#mayChange(place) && this.#mayAnswerOtherwise(place, error),
    );
  }

  /** A disk that refuses is answered for by another replica; where there is none, whoever asks is told at once. */
  #mayAnswerOtherwise(place: TopicPartition, error: unknown): boolean {
    const record = this.record(place);
    if (record === undefined) return false;
    const isRefused = error instanceof BrokerError && error.code === "KAFKA_STORAGE_ERROR";
    return !isRefused || record.replicas.length > 1;
  }

  /** `run` again while it fails for want of the right leader, and `goesOn`. */
  async retried<T>(
    run: () => T | Promise<T>,
    goesOn: (error: unknown) => boolean = () => true,
  ): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    for (let pauseMs = retryMs; ; pauseMs = Math.min(2 * pauseMs, retryMsMax)) {
      try {
        return await run();
      } catch (error) {
        const isLate = this.#clock.monotonicMs() + pauseMs - startMs > leaderWaitMsMax;
        if (isLate || !isStale(error) || !goesOn(error)) throw error;
        await wait(this.#clock, pauseMs);
      }
    }
  }

  /** Asks a broker as long as `leads` says that it is the right one. */
  async ask<T>(
    id: number,
    ask: (leader: Leader | null) => T | Promise<T>,
    leads: () => boolean,
  ): Promise<T> {
    if (id === this.#brokerId) return ask(null);
    const leader = this.#cluster().brokers.get(id);
    if (leader === undefined) throw new BrokerError("LEADER_NOT_AVAILABLE", `no broker ${id} now`);
    return untilLedElsewhere(this.#clock, Promise.resolve(ask(leader)), leads);
  }

  async #askNow<T>(place: TopicPartition, ask: (at: Lead) => T | Promise<T>): Promise<T> {
    const topic = this.#cluster().topics.get(place.topic);
    const id = topic?.partitions[place.partition]?.leader ?? -1;
    if (topic === undefined || id === -1) throw noLeader(place);
    return this.ask(
      id,
      (leader) => ask({ leader, topic }),
      () => this.record(place)?.leader === id,
    );
  }
}

function noLeader({ topic, partition }: TopicPartition): BrokerError {
  return new BrokerError("LEADER_NOT_AVAILABLE", `${topic}-${partition} has no leader now`);
}
