// TransactionScope: what a transactional producer's sender sees of it: the identity batches are numbered under, and
// which partitions are part of the open transaction. With protocol V1 a partition is announced before the first
// batch goes to it; with V2 the batch itself says so.

import type { TopicPartition } from "../broker.ts";
import { produce } from "../kafka/apis/produce.ts";
import { placeKey } from "./membership.ts";
import type { Identity } from "./producer-id.ts";
import type { TransactionIdentity } from "./transaction-calls.ts";

/** Brokers take a batch of a newer version as part of its transaction without announcement. */
const announcedVersionMax = 11;

export class TransactionScope implements Identity {
  readonly transactionalId: string;
  id = -1;
  epoch = -1;
  isKnown = false;
  isRetrying = true;
  /** The broker has, or may have, something to end. */
  isStarted = false;
  /** Sequences no longer fit: the next transaction needs another epoch. */
  needsNewEpoch = false;
  isSecondProtocol = false;
  readonly groups = new Set<string>();
  readonly #added = new Set<string>();
  readonly #announce: (place: TopicPartition) => Promise<void>;
  readonly #announcing = new Set<string>();

  /** `announce` resolves when the coordinator knows the partition as part of the transaction. */
  constructor(transactionalId: string, announce: (place: TopicPartition) => Promise<void>) {
    this.transactionalId = transactionalId;
    this.#announce = announce;
  }

  get produceVersionMax(): number {
    return this.isSecondProtocol ? produce.versions.max : announcedVersionMax;
  }

  get identity(): TransactionIdentity {
    return { producerId: this.id, producerEpoch: this.epoch };
  }

  /** Sequences begin at 0 again. */
  take({ producerId, producerEpoch }: TransactionIdentity): void {
    this.id = producerId;
    this.epoch = producerEpoch;
    this.isKnown = false;
    this.needsNewEpoch = false;
  }

  /** A new transaction: nothing is part of it yet. */
  begin(isSecondProtocol: boolean): void {
    this.isSecondProtocol = isSecondProtocol;
    this.isStarted = false;
    this.isRetrying = true;
    this.groups.clear();
    this.#added.clear();
    this.#announcing.clear();
  }

  load(loaded: () => void): void {
    this.isKnown = true;
    loaded();
  }

  forget(): boolean {
    this.needsNewEpoch = true;
    return false;
  }

  admits(topic: string, partition: number, wake: () => void): boolean {
    this.isStarted = true;
    const key = placeKey({ topic, partition });
    if (this.isSecondProtocol || this.#added.has(key)) return true;
    if (this.#announcing.has(key)) return false;
    this.#announcing.add(key);
    this.#announce({ topic, partition }).then(
      () => {
        this.#added.add(key);
        wake();
      },
      // Who announces has been told: the transaction is spoiled, and its batches will be given up.
      () => {},
    );
    return false;
  }
}
