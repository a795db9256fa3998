// What the transaction coordinator needs of the broker it runs in: logs, producer ids, limits, and somebody to tell.

import type { TopicPartition } from "../broker.ts";
import type { BrokerError } from "../errors.ts";
import type { TransactionMarker } from "../log/control-record.ts";
import type { MarkerHost } from "./marker-writer.ts";
import type { StateLogHost } from "./state-log.ts";

/** A producer's batch that wants into a partition, asked of the coordinator of its transaction. */
export interface Admission {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly place: TopicPartition;
  readonly mayAdd: boolean;
}

/** What coordinators ask of other brokers. Rejects with `BrokerError`. */
export interface RemoteTransactions {
  admit(brokerId: number, admission: Admission): Promise<void>;
  /** One result per place, in order. */
  writeMarkers(
    brokerId: number,
    places: readonly TopicPartition[],
    marker: TransactionMarker,
  ): Promise<readonly (BrokerError | null)[]>;
}

export interface TransactionLimits {
  readonly timeoutMsMax: number;
  /** How often open transactions are looked at. */
  readonly timeoutCheckMs: number;
  readonly idExpirationMs: number;
  readonly expirationCheckMs: number;
}

export interface CoordinatorHost extends StateLogHost, MarkerHost {
  /** Who leads a partition of __transaction_state now, -1: nobody. */
  stateLeader(index: number): number;
  /** Runs `changed` when leaderships of __transaction_state may have changed; returns how to stop that. */
  watchStates(changed: () => void): () => void;
  readonly remote: RemoteTransactions;
  readonly brokerId: number;
  /** Creates __transaction_state if it is not there. */
  createStateTopic(): Promise<void>;
  allocateProducerId(): Promise<number>;
  limits(): TransactionLimits;
  readonly counters: {
    transactionsCommitted: number;
    transactionsAborted: number;
    transactionsTimedOut: number;
  };
}
