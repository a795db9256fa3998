// The states of a transactional producer and what leads from one to the next, as a table; and what an error means
// for it. Pure.

import { ClientError, type ClientErrorCode } from "./error.ts";

/**
 * `new`: no producer id yet. `spoiled`: something failed, only an abort is left. `closed` is final: fenced, an
 * outcome nobody knows, or closed by the program.
 */
export type TransactionState =
  | "new"
  | "ready"
  | "open"
  | "spoiled"
  | "committing"
  | "aborting"
  | "closed";

export type TransactionEvent =
  | "initialize"
  | "begin"
  | "spoil"
  | "commit"
  | "abort"
  | "end"
  | "close";

const moves: Readonly<
  Record<TransactionState, Partial<Record<TransactionEvent, TransactionState>>>
> = {
  new: { initialize: "ready", close: "closed" },
  ready: { begin: "open", close: "closed" },
  open: { spoil: "spoiled", commit: "committing", abort: "aborting", close: "closed" },
  // The first failure is the one that is told.
  spoiled: { spoil: "spoiled", abort: "aborting", close: "closed" },
  committing: { spoil: "spoiled", end: "ready", close: "closed" },
  aborting: { spoil: "aborting", end: "ready", close: "closed" },
  closed: { spoil: "closed", end: "closed", close: "closed" },
};

const misuses: Readonly<Record<TransactionState, string>> = {
  new: "no transaction was begun",
  ready: "no transaction is open: begin one",
  open: "a transaction is open: commit or abort it first",
  spoiled: "something of the open transaction failed: abort it",
  committing: "the transaction is being committed",
  aborting: "the transaction is being aborted",
  closed: "the producer is closed: make a new one",
};

/** Throws INVALID_TXN_STATE, with what to do instead, for an event that the state does not know. */
export function move(state: TransactionState, event: TransactionEvent): TransactionState {
  const next = moves[state][event];
  if (next !== undefined) return next;
  throw new ClientError("INVALID_TXN_STATE", `Cannot ${event} now: ${misuses[state]}.`);
}

/** After these the broker no longer takes anything from this producer. */
const final: ReadonlySet<ClientErrorCode> = new Set<ClientErrorCode>([
  "PRODUCER_FENCED",
  "INVALID_PRODUCER_EPOCH",
  "TRANSACTION_COORDINATOR_FENCED",
  "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "INVALID_TXN_STATE",
  "UNSUPPORTED_VERSION",
  "CLOSED",
]);

/** What an error of the coordinator, met for good, leaves to do. */
export function consequence(code: ClientErrorCode): "close" | "abort" {
  return final.has(code) ? "close" : "abort";
}

/**
 * A batch that was refused: its sequence or epoch is no longer the broker's, so the next transaction needs a new
 * epoch. Whether the producer is fenced is the coordinator's to say, when the transaction is aborted.
 */
const unsettling: ReadonlySet<ClientErrorCode> = new Set<ClientErrorCode>([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
  "NETWORK_EXCEPTION",
  "REQUEST_TIMED_OUT",
]);

export function unsettles(code: ClientErrorCode): boolean {
  return unsettling.has(code);
}

/** The sentence for whoever was shut out. */
export function fencedError(transactionalId: string, cause: ClientError): ClientError {
  const what =
    `${cause.message} Another producer began as ${transactionalId}, or a transaction was open for longer ` +
    "than transactionTimeoutMs and the broker aborted it. Close this producer; make a new one only if " +
    "no other should go on.";
  return new ClientError("PRODUCER_FENCED", what, { cause });
}
