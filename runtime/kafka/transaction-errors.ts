// How answers about transactions say that something failed: without messages, and in older versions without
// PRODUCER_FENCED and TRANSACTION_ABORTABLE, which clients of that time do not know.

import { BrokerError } from "../errors.ts";
import { errorCodeOf, errorCodes } from "./error-codes.ts";
import type { HandlerContext } from "./handler.ts";

/** For versions before TRANSACTION_ABORTABLE (KIP-890). */
export function withoutAbortable(error: unknown): unknown {
  if (!(error instanceof BrokerError) || error.code !== "TRANSACTION_ABORTABLE") return error;
  return new BrokerError("INVALID_TXN_STATE", error.message, { cause: error });
}

/** `fencedSince`: the API's first version with PRODUCER_FENCED. */
export function transactionErrorCode(
  error: unknown,
  context: HandlerContext,
  { fencedSince }: { fencedSince: number },
): number {
  const isFenced = error instanceof BrokerError && error.code === "PRODUCER_FENCED";
  if (isFenced && context.apiVersion < fencedSince) return errorCodes.INVALID_PRODUCER_EPOCH;
  return errorCodeOf(error, `a transaction of ${context.clientId}`, context.report);
}
