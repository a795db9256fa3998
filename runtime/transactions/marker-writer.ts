// Writes the markers that end a transaction into every partition it touched, and tells consumer groups when it
// touched theirs. What fails for a reason that may pass is tried again until it is done or the broker stops.

import type { TopicPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { TransactionMarker } from "../log/control-record.ts";
import type { Partition } from "../log/partition.ts";
import type { Clock } from "../platform.ts";
import { offsetsTopic } from "../topic-name.ts";
import type { TransactionalOffsets } from "../transaction-coordinator.ts";

/** A partition that is offline is tried again this often. */
const retryMs = 1000;

export interface MarkerHost {
  readonly clock: Clock;
  /** Throws UNKNOWN_TOPIC_OR_PARTITION for one that is gone. */
  partition(place: TopicPartition): Partition;
  readonly groups: TransactionalOffsets;
  report(error: unknown, where: string): void;
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

  /** Returns, or resolves, when all are written; for good or not at all: never rejects. */
  write(places: readonly TopicPartition[], marker: TransactionMarker): undefined | Promise<void> {
    const waits: Promise<unknown>[] = [];
    for (const place of places) {
      const written = this.#writeOne(place, marker);
      if (written !== undefined) waits.push(written);
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

  #writeOne(place: TopicPartition, marker: TransactionMarker): undefined | Promise<void> {
    try {
      const written = this.writeOnce(place, marker);
      return written?.catch((error) => this.#failed(place, marker, error));
    } catch (error) {
      return this.#failed(place, marker, error);
    }
  }

  #failed(
    place: TopicPartition,
    marker: TransactionMarker,
    error: unknown,
  ): undefined | Promise<void> {
    if (isMoot(error) || this.#isClosed) return undefined;
    this.#host.report(error, `marker for ${place.topic}-${place.partition}`);
    return new Promise((resolve) => {
      this.#host.clock.after(retryMs, () => {
        void Promise.resolve(this.#isClosed ? undefined : this.#writeOne(place, marker)).then(
          resolve,
        );
      });
    });
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

function noValue(): void {}
