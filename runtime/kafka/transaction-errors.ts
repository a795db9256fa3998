// How answers about transactions say that something failed: without messages, and in older versions without
// PRODUCER_FENCED, which clients of that time do not know.

import { BrokerError } from "../errors.ts";
import { errorCodeOf, errorCodes } from "./error-codes.ts";
import type { HandlerContext } from "./handler.ts";

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
