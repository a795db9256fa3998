// Views of transactions for people and tools: ListTransactions' filters (KIP-664, KIP-994, KIP-1152), and one in
// full. Pure.

import { BrokerError } from "../errors.ts";
import type {
  TransactionFilter,
  TransactionListing,
  TransactionPhase,
  TransactionView,
} from "../transaction-coordinator.ts";
import type { Transaction } from "./transaction.ts";

/** A longer pattern is not worth its time. */
const patternLengthMax = 1000;

export function matching(
  states: readonly Transaction[],
  filter: TransactionFilter,
  nowMs: number,
): TransactionListing[] {
  const phases = new Set(filter.phases);
  const producerIds = new Set(filter.producerIds);
  const pattern = filter.idPattern === null ? undefined : compiled(filter.idPattern);
  const isOpenFor = ({ startMs }: Transaction) =>
    filter.openForMs < 0 || (startMs >= 0 && nowMs - startMs > filter.openForMs);
  return states
    .filter(
      (state) =>
        state.phase !== "Dead" &&
        (phases.size === 0 || phases.has(state.phase)) &&
        (producerIds.size === 0 || producerIds.has(state.producerId)) &&
        (pattern === undefined || pattern.test(state.transactionalId)) &&
        isOpenFor(state),
    )
    .map(({ transactionalId, producerId, phase }) => ({ transactionalId, producerId, phase }));
}

export function openOnes(
  slots: Iterable<{ readonly state: Transaction }>,
  nowMs: number,
): { open: number; oldestMs: number } {
  let open = 0;
  let oldestMs = 0;
  for (const { state } of slots) {
    if (state.phase !== "Ongoing") continue;
    open++;
    oldestMs = Math.max(oldestMs, nowMs - state.startMs);
  }
  return { open, oldestMs };
}

export function viewOf(state: Transaction, coordinatorId: number): TransactionView {
  const { transactionalId, producerId, producerEpoch, phase, timeoutMs, startMs } = state;
  const partitions = [...state.partitions].flatMap(([topic, members]) =>
    [...members].sort((a, b) => a - b).map((partition) => ({ topic, partition })),
  );
  return {
    transactionalId,
    producerId,
    producerEpoch,
    phase: phase as TransactionPhase,
    timeoutMs,
    startMs,
    coordinatorId,
    partitions,
  };
}

function compiled(pattern: string): RegExp {
  try {
    if (pattern.length > patternLengthMax) throw new Error("it is too long");
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BrokerError(
      "INVALID_REGULAR_EXPRESSION",
      `'${pattern.slice(0, 100)}' is no regular expression: ${reason}`,
      { cause },
    );
  }
}
