// One transactional id as a state machine (KIP-98, KIP-360, KIP-890): what a request or a timeout makes of it.
// Pure: functions from a state to the next one, or the error Kafka answers. `coordinator.ts` persists a state
// before it counts.

import type { TopicPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { ProducerIdentity, TransactionPhase } from "../transaction-coordinator.ts";

export interface Transaction {
  readonly transactionalId: string;
  readonly producerId: number;
  /** Before the last change of producer id, and after the next; -1: none. */
  readonly previousProducerId: number;
  readonly nextProducerId: number;
  /** -1 before the first InitProducerId was answered. */
  readonly producerEpoch: number;
  /** What the producer that asked for this epoch had before; -1: it was a new one. Not persisted, as in Kafka. */
  readonly lastProducerEpoch: number;
  readonly timeoutMs: number;
  readonly phase: TransactionPhase;
  readonly partitions: ReadonlyMap<string, ReadonlySet<number>>;
  /** -1: none is open. */
  readonly startMs: number;
  readonly updatedMs: number;
  /** 2: the client leaves adding partitions to the broker and gets a new epoch with every end. */
  readonly clientVersion: 0 | 2;
}

/** Epochs are 16 bits; the last one is left for fencing. */
export const epochMax = 32_767;
const noPartitions: Transaction["partitions"] = new Map();

export function newTransaction(
  transactionalId: string,
  options: { producerId: number; timeoutMs: number; nowMs: number },
): Transaction {
  return {
    transactionalId,
    producerId: options.producerId,
    previousProducerId: -1,
    nextProducerId: -1,
    producerEpoch: -1,
    lastProducerEpoch: -1,
    timeoutMs: options.timeoutMs,
    phase: "Empty",
    partitions: noPartitions,
    startMs: -1,
    updatedMs: options.nowMs,
    clientVersion: 0,
  };
}

/** Another epoch would leave none for fencing: the next identity needs a new producer id. */
export function isExhausted({ producerEpoch }: ProducerIdentity): boolean {
  return producerEpoch >= epochMax - 1;
}

export function isEnding({ phase }: Transaction): boolean {
  return phase === "PrepareCommit" || phase === "PrepareAbort";
}

// ---- InitProducerId ----

/** Throws PRODUCER_FENCED where a producer names an identity that is not, and was not just now, its own. */
export function checkInit(state: Transaction, given: ProducerIdentity): void {
  if (given.producerId < 0 || state.producerEpoch < 0) return;
  const isCurrent = given.producerId === state.producerId;
  const isBefore = given.producerId === state.previousProducerId && isExhausted(given);
  const isOwnEpoch =
    given.producerEpoch === state.producerEpoch || given.producerEpoch === state.lastProducerEpoch;
  if ((isCurrent && isOwnEpoch) || isBefore) return;
  throw fenced(state, given.producerEpoch);
}

/** Whether `begun` needs a fresh producer id. */
export function needsProducerId(state: Transaction, given: ProducerIdentity): boolean {
  return !isRetriedInit(state, given) && isExhausted(state);
}

/** The state after InitProducerId, of one that has nothing open. */
export function begun(
  state: Transaction,
  given: ProducerIdentity,
  options: { timeoutMs: number; nowMs: number; freshProducerId: number },
): Transaction {
  const { timeoutMs, nowMs: updatedMs, freshProducerId } = options;
  const clean = {
    phase: "Empty",
    partitions: noPartitions,
    startMs: -1,
    nextProducerId: -1,
  } as const;
  const next = { ...state, ...clean, timeoutMs, updatedMs };
  if (isRetriedInit(state, given)) return next;
  const lastProducerEpoch = given.producerId < 0 ? -1 : state.producerEpoch;
  if (freshProducerId < 0) {
    return { ...next, producerEpoch: state.producerEpoch + 1, lastProducerEpoch };
  }
  return {
    ...next,
    producerId: freshProducerId,
    previousProducerId: state.producerId,
    producerEpoch: 0,
    lastProducerEpoch,
  };
}

/** The answer to the same request got lost: the producer shall have it again. */
function isRetriedInit(state: Transaction, given: ProducerIdentity): boolean {
  if (given.producerId < 0 || state.producerEpoch < 0) return false;
  if (given.producerId === state.previousProducerId && state.producerId !== given.producerId) {
    return true;
  }
  const { producerEpoch, lastProducerEpoch } = state;
  return given.producerEpoch !== producerEpoch && given.producerEpoch === lastProducerEpoch;
}

// ---- within a transaction ----

/** Throws INVALID_PRODUCER_ID_MAPPING or PRODUCER_FENCED. */
export function checkMember(state: Transaction, given: ProducerIdentity): void {
  if (given.producerId !== state.producerId) throw notItsProducer(state, given.producerId);
  if (given.producerEpoch !== state.producerEpoch) throw fenced(state, given.producerEpoch);
}

export function holds(state: Transaction, { topic, partition }: TopicPartition): boolean {
  return state.phase === "Ongoing" && (state.partitions.get(topic)?.has(partition) ?? false);
}

/** The state with these partitions; the same state when it had them all. */
export function withPartitions(
  state: Transaction,
  added: readonly TopicPartition[],
  options: { nowMs: number; clientVersion: 0 | 2 },
): Transaction {
  if (added.every((each) => holds(state, each))) return state;
  const isOpen = state.phase === "Ongoing";
  const partitions = new Map<string, ReadonlySet<number>>(isOpen ? state.partitions : []);
  for (const { topic, partition } of added) {
    partitions.set(topic, new Set([...(partitions.get(topic) ?? []), partition]));
  }
  const { nowMs, clientVersion } = options;
  return {
    ...state,
    phase: "Ongoing",
    partitions,
    startMs: isOpen ? state.startMs : nowMs,
    updatedMs: nowMs,
    clientVersion,
  };
}

// ---- the end ----

export interface EndRequest extends ProducerIdentity {
  readonly isCommit: boolean;
  readonly bumpsEpoch: boolean;
}

/**
 * What EndTxn is to be: undefined when this end has been reached already, else the identity to end with.
 * Throws INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED or INVALID_TXN_STATE. Not for states that are ending.
 */
export function checkEnd(state: Transaction, given: EndRequest): "end" | "nothing" | "ended" {
  const isRetry = given.bumpsEpoch && isRetriedEnd(state, given);
  if (!isRetry) checkMember(state, given);
  if (state.phase === "Ongoing") {
    if (isRetry) throw fenced(state, given.producerEpoch);
    return "end";
  }
  const reached = given.isCommit ? "CompleteCommit" : "CompleteAbort";
  // Protocol V2 has an epoch for each transaction: the same epoch again means the next one, which is empty.
  const isReached = state.phase === reached && (isRetry || !given.bumpsEpoch);
  if (isReached) return "ended";
  if (!isRetry && given.bumpsEpoch && !given.isCommit) return "nothing";
  throw new BrokerError(
    "INVALID_TXN_STATE",
    `transaction '${state.transactionalId}' is ${state.phase}: there is nothing to ${
      given.isCommit ? "commit" : "abort"
    }`,
  );
}

/** The answer to the end of the epoch before got lost. */
function isRetriedEnd(state: Transaction, given: ProducerIdentity): boolean {
  if (given.producerId === state.producerId) return given.producerEpoch === state.producerEpoch - 1;
  return (
    given.producerId === state.previousProducerId && isExhausted(given) && state.producerEpoch === 0
  );
}

/**
 * The decision, to be persisted before any marker. With `bumpsEpoch` the markers carry the next epoch, so that
 * nothing late of this transaction can follow them; `freshProducerId` for when epochs are used up.
 */
export function prepared(
  state: Transaction,
  options: { isCommit: boolean; bumpsEpoch: boolean; freshProducerId: number; nowMs: number },
): Transaction {
  const { isCommit, bumpsEpoch, freshProducerId, nowMs } = options;
  const isOpen = state.phase === "Ongoing";
  return {
    ...state,
    phase: isCommit ? "PrepareCommit" : "PrepareAbort",
    partitions: isOpen ? state.partitions : noPartitions,
    startMs: isOpen ? state.startMs : nowMs,
    updatedMs: nowMs,
    nextProducerId: freshProducerId,
    producerEpoch: bumpsEpoch ? state.producerEpoch + 1 : state.producerEpoch,
    lastProducerEpoch: bumpsEpoch ? state.producerEpoch : state.lastProducerEpoch,
    clientVersion: bumpsEpoch ? 2 : state.clientVersion,
  };
}

/** An abort that shuts the producer out: by timeout, or for a new instance. */
export function fencedOut(state: Transaction, nowMs: number): Transaction {
  const next = prepared(state, { isCommit: false, bumpsEpoch: false, freshProducerId: -1, nowMs });
  const producerEpoch = Math.min(state.producerEpoch + 1, epochMax);
  return { ...next, producerEpoch, lastProducerEpoch: -1 };
}

/** All markers are written. */
export function completed(state: Transaction, nowMs: number): Transaction {
  const next: Transaction = {
    ...state,
    phase: state.phase === "PrepareCommit" ? "CompleteCommit" : "CompleteAbort",
    partitions: noPartitions,
    updatedMs: nowMs,
  };
  if (state.nextProducerId < 0) return next;
  return {
    ...next,
    producerId: state.nextProducerId,
    previousProducerId: state.producerId,
    nextProducerId: -1,
    producerEpoch: 0,
  };
}

/** The identity that the producer has after the end of its transaction. */
export function identityAfter(state: Transaction): ProducerIdentity {
  const { producerId, producerEpoch, nextProducerId } = state;
  if (nextProducerId >= 0) return { producerId: nextProducerId, producerEpoch: 0 };
  return { producerId, producerEpoch };
}

// ---- time ----

export function isOverdue(state: Transaction, nowMs: number): boolean {
  return state.phase === "Ongoing" && nowMs - state.startMs >= state.timeoutMs;
}

/** Nothing is open and nobody came for so long that the id may be forgotten. */
export function isExpired(
  state: Transaction,
  options: { nowMs: number; afterMs: number },
): boolean {
  const isIdle = state.phase !== "Ongoing" && !isEnding(state);
  return isIdle && options.nowMs - state.updatedMs >= options.afterMs;
}

function fenced(state: Transaction, epoch: number): BrokerError {
  return new BrokerError(
    "PRODUCER_FENCED",
    `producer epoch ${epoch} of '${state.transactionalId}' is not the newest, ${state.producerEpoch} is: ` +
      "another instance took over, or the transaction timed out",
  );
}

function notItsProducer(state: Transaction, producerId: number): BrokerError {
  return new BrokerError(
    "INVALID_PRODUCER_ID_MAPPING",
    `producer id ${producerId} is not the one of '${state.transactionalId}'`,
  );
}

/** Why a batch of this producer may not come into the partition. */
export function notAdmitted(
  { transactionalId, producerEpoch }: Transaction,
  producer: ProducerIdentity,
  { topic, partition }: TopicPartition,
): BrokerError {
  if (producer.producerEpoch === producerEpoch) {
    const what = `${topic}-${partition} is not part of the transaction of '${transactionalId}'`;
    return new BrokerError("TRANSACTION_ABORTABLE", what);
  }
  return new BrokerError(
    "INVALID_PRODUCER_EPOCH",
    `producer ${producer.producerId} used epoch ${producer.producerEpoch}, the newest is ${producerEpoch}`,
  );
}

export function unknownProducer(producerId: number, transactionalId?: string): BrokerError {
  const what =
    transactionalId === undefined
      ? `producer id ${producerId} belongs to no transactional id`
      : `producer id ${producerId} is not the one of '${transactionalId}'`;
  return new BrokerError("INVALID_PRODUCER_ID_MAPPING", what);
}

/** Throws INVALID_TRANSACTION_TIMEOUT. */
export function checkTimeout(timeoutMs: number, timeoutMsMax: number): void {
  if (timeoutMs > 0 && timeoutMs <= timeoutMsMax) return;
  throw new BrokerError(
    "INVALID_TRANSACTION_TIMEOUT",
    `transaction.timeout.ms is ${timeoutMs}, the broker allows 1 to ${timeoutMsMax} (transaction.max.timeout.ms)`,
  );
}

export function identityOf({ producerId, producerEpoch }: Transaction): ProducerIdentity {
  return { producerId, producerEpoch };
}
