// FollowedPartition: one partition that this broker copies from its leader, in one leader epoch. Says what to fetch
// next and takes in what comes; made by `replicas.ts`, driven by `fetcher.ts`.

import { BrokerError } from "../errors.ts";
import type { Partition } from "../log/partition.ts";
import type { ReplicaFetched, ReplicaFetchItem } from "./replica-link.ts";
import { truncationPoint } from "./truncation.ts";

/** Waits after errors: doubled from one to the other (and never above replica.fetch.backoff.ms). */
const backoffMsMin = 10;
const doublingsMax = 10;
/** A sync that is under way is looked for this often. */
const syncLookMs = 5;

/** Errors of a leadership that is on its way: the control plane will tell one of the two soon. */
const passing = new Set([
  "NOT_LEADER_OR_FOLLOWER",
  "UNKNOWN_LEADER_EPOCH",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_TOPIC_ID",
  "UNKNOWN_TOPIC_OR_PARTITION",
]);

export class FollowedPartition {
  readonly partition: Partition;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  #failures = 0;
  /** Monotonic ms; not asked for before. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(partition: Partition, leader: { id: number; epoch: number }) {
    this.partition = partition;
    this.leaderId = leader.id;
    this.leaderEpoch = leader.epoch;
  }

  get key(): string {
    return placeKey(this.partition.topicId, this.partition.partition);
  }

  /** 0: ask now. What is here must be durable first: an offset asked for says that all below it is safe. */
  dueInMs(nowMs: number): number {
    const { durableEnd, log } = this.partition;
    if (durableEnd < log.endOffset) return syncLookMs;
    return Math.max(0, this.#notBeforeMs - nowMs);
  }

  next(bytesMax: number): ReplicaFetchItem {
    const { partition } = this;
    const { startOffset, endOffset } = partition.log;
    return {
      topicId: partition.topicId,
      partition: partition.partition,
      leaderEpoch: this.leaderEpoch,
      fetchOffset: endOffset,
      lastFetchedEpoch: endOffset > startOffset ? partition.epochs.epochAt(endOffset - 1) : -1,
      logStartOffset: startOffset,
      highWatermark: partition.highWatermark,
      bytesMax,
    };
  }

  /**
   * Takes in the answer to `asked`. Resolves, or returns, when it counts. Throws or rejects with `BrokerError` what
   * a person should hear of; such a partition, and one whose leader refused, waits before it is asked for again.
   */
  take(asked: ReplicaFetchItem, answer: ReplicaFetched): void | Promise<void> {
    if (answer.error === "OFFSET_OUT_OF_RANGE") return this.#startOver(answer);
    if (answer.error !== "NONE") throw refused(answer);
    if (answer.diverging !== undefined) {
      this.#cut(asked, answer);
      return;
    }
    const waits = answer.records.length > 0 && this.partition.appendAsFollower(answer.records);
    this.#failures = 0;
    // Only now: a high watermark beyond a cut would name records that are gone.
    this.partition.raiseHighWatermark(answer.highWatermark);
    this.partition.raiseStartOffset(answer.logStartOffset);
    if (waits) return waits;
  }

  /** Not again before a while. True: it is the first failure in a row. */
  backOff(nowMs: number, backoffMsMax: number): boolean {
    const waitMs = backoffMsMin * 2 ** Math.min(this.#failures++, doublingsMax);
    this.#notBeforeMs = nowMs + Math.min(waitMs, backoffMsMax);
    return this.#failures === 1;
  }

  #cut(asked: ReplicaFetchItem, { diverging }: ReplicaFetched): void {
    const { epochs, log } = this.partition;
    const local = { epochs, endOffset: log.endOffset };
    const offset = truncationPoint(local, diverging!);
    if (offset >= asked.fetchOffset && offset >= log.endOffset) {
      const what = `the leader disagrees with the log of ${this.#name}, but nothing can be cut`;
      throw new BrokerError("UNKNOWN_SERVER_ERROR", what);
    }
    this.partition.truncate(Math.max(offset, 0));
  }

  /** What is here begins behind the leader's end, or ends before its start: nothing of it is of use. */
  #startOver({ logStartOffset }: ReplicaFetched): void {
    if (logStartOffset < 0) throw new BrokerError("OFFSET_OUT_OF_RANGE", `fetching ${this.#name}`);
    this.partition.restartAt(logStartOffset);
  }

  get #name(): string {
    return `${this.partition.topic}-${this.partition.partition}`;
  }
}

/** Whether the error says no more than that one of the two brokers has not heard the newest yet. */
export function isPassing(error: unknown): boolean {
  return error instanceof PassingRefusal;
}

export function placeKey(topicId: string, partition: number): string {
  return `${topicId}/${partition}`;
}

class PassingRefusal extends Error {}

function refused({ error, partition }: ReplicaFetched): Error {
  const what = `the leader of partition ${partition} answered ${error}`;
  return passing.has(error) ? new PassingRefusal(what) : new Error(what);
}
