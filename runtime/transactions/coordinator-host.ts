// What the transaction coordinator needs of the broker it runs in: logs, producer ids, limits, and somebody to tell.

import type { MarkerHost } from "./marker-writer.ts";
import type { StateLogHost } from "./state-log.ts";

export interface TransactionLimits {
  readonly timeoutMsMax: number;
  /** How often open transactions are looked at. */
  readonly timeoutCheckMs: number;
  readonly idExpirationMs: number;
  readonly expirationCheckMs: number;
}

export interface CoordinatorHost extends StateLogHost, MarkerHost {
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
