// Writes the markers that end a transaction into every partition it touched, here or at the broker that leads it, and
// tells consumer groups when it touched theirs. What fails for a reason that may pass is tried again until it is
// done, the coordinator has moved, or the broker stops.

import type { TopicPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { TransactionMarker } from "../log/control-record.ts";
import type { Partition } from "../log/partition.ts";
import type { Clock } from "../platform.ts";
import { offsetsTopic } from "../topic-name.ts";
import type { TransactionalOffsets } from "../transaction-coordinator.ts";
import type { RemoteTransactions } from "./coordinator-host.ts";

/** A partition that is offline is tried again this often; one whose leader is moving, sooner. */
const retryMs = 1000;
const movingRetryMs = 50;

export interface MarkerHost {
  readonly clock: Clock;
  /** Throws UNKNOWN_TOPIC_OR_PARTITION for one that is gone, NOT_LEADER_OR_FOLLOWER for one led elsewhere. */
  partition(place: TopicPartition): Partition;
  /** Who leads it now, -1: nobody. */
  leaderOf(place: TopicPartition): number;
  readonly brokerId: number;
  readonly remote: Pick<RemoteTransactions, "writeMarkers">;
  readonly groups: TransactionalOffsets;
  report(error: unknown, where: string): void;
}

/** One transaction's end, as long as this broker is the one to end it. */
interface Ending {
  readonly marker: TransactionMarker;
  isCurrent(): boolean;
}

export class MarkerWriter {
  readonly #host: MarkerHost;
  #isClosed = false;

  constructor(host: MarkerHost) {
    this.#host = host;
  }

  close(): void {
    this.#isClosed = true;
  }

  /**
   * Returns, or resolves, when all are written, for good or not at all, or when `isCurrent` says that another
   * coordinator does it: never rejects.
   */
  write(
    places: readonly TopicPartition[],
    marker: TransactionMarker,
    isCurrent: () => boolean = () => true,
  ): undefined | Promise<void> {
    const ending: Ending = { marker, isCurrent };
    const waits: Promise<unknown>[] = [];
    for (const [leader, ofLeader] of this.#byLeader(places)) {
      if (leader !== this.#host.brokerId)
        waits.push(this.#writeElsewhere(leader, ofLeader, ending));
      else for (const place of ofLeader) this.#collect(waits, this.#writeOne(place, ending));
    }
    return waits.length === 0 ? undefined : Promise.all(waits).then(noValue);
  }

  /** One marker once, for WriteTxnMarkers. Throws or rejects with what the partition says. */
  writeOnce(place: TopicPartition, marker: TransactionMarker): undefined | Promise<void> {
    const partition = this.#host.partition(place);
    const appended = partition.appendMarker(marker);
    if (!(appended instanceof Promise)) return this.#tellGroups(place, marker);
    return appended.then(() => this.#tellGroups(place, marker));
  }

  /** Those that nobody leads, or nobody knows, count as this broker's: they fail here, and are tried again. */
  #byLeader(places: readonly TopicPartition[]): Map<number, TopicPartition[]> {
    const { brokerId, leaderOf } = this.#host;
    const byLeader = new Map<number, TopicPartition[]>();
    for (const place of places) {
      const found = leaderOf(place);
      const leader = found < 0 ? brokerId : found;
      const known = byLeader.get(leader);
      if (known === undefined) byLeader.set(leader, [place]);
      else known.push(place);
    }
    return byLeader;
  }

  async #writeElsewhere(
    leader: number,
    places: readonly TopicPartition[],
    ending: Ending,
  ): Promise<void> {
    let errors: readonly (unknown | null)[];
    try {
      errors = await this.#host.remote.writeMarkers(leader, places, ending.marker);
    } catch (error) {
      errors = places.map(() => error);
    }
    const waits: Promise<unknown>[] = [];
    for (const [i, place] of places.entries()) {
      const error = errors[i] ?? null;
      if (error !== null) this.#collect(waits, this.#failed(place, ending, error));
    }
    await Promise.all(waits);
  }

  #writeOne(place: TopicPartition, ending: Ending): undefined | Promise<void> {
    try {
      const written = this.writeOnce(place, ending.marker);
      return written?.catch((error) => this.#failed(place, ending, error));
    } catch (error) {
      return this.#failed(place, ending, error);
    }
  }

  #failed(place: TopicPartition, ending: Ending, error: unknown): undefined | Promise<void> {
    if (isMoot(error) || this.#isClosed) return undefined;
    const moves = isMoving(error);
    if (!moves) this.#host.report(error, `marker for ${place.topic}-${place.partition}`);
    return new Promise((resolve) => {
      this.#host.clock.after(moves ? movingRetryMs : retryMs, () => {
        const isOver = this.#isClosed || !ending.isCurrent();
        const again = isOver ? undefined : this.write([place], ending.marker, ending.isCurrent);
        void Promise.resolve(again).then(resolve);
      });
    });
  }

  #collect(waits: Promise<unknown>[], written: undefined | Promise<void>): void {
    if (written !== undefined) waits.push(written);
  }

  #tellGroups({ topic, partition }: TopicPartition, marker: TransactionMarker): undefined {
    if (topic !== offsetsTopic) return;
    this.#host.groups.endTransaction(partition, marker.producerId, marker.isCommit);
  }
}

/** The partition is gone, or a newer epoch has been there: nothing is left to end. */
function isMoot(error: unknown): boolean {
  if (!(error instanceof BrokerError)) return false;
  return (
    error.code === "UNKNOWN_TOPIC_OR_PARTITION" ||
    error.code === "INVALID_PRODUCER_EPOCH" ||
    error.code === "TRANSACTION_COORDINATOR_FENCED"
  );
}

/** Leaders change, and replicas come back: nothing that a person should hear of. */
function isMoving(error: unknown): boolean {
  return error instanceof BrokerError && moving.has(error.code);
}

const moving: ReadonlySet<string> = new Set([
  "NOT_LEADER_OR_FOLLOWER",
  "LEADER_NOT_AVAILABLE",
  "BROKER_NOT_AVAILABLE",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "REQUEST_TIMED_OUT",
]);

function noValue(): void {}
