// ListTransactions (66): transactional ids of this coordinator, by state and producer id (KIP-664). v1 filters by
// duration (KIP-994), v2 by a pattern for the id (KIP-1152). Flexible.

import { transactionPhases } from "../../transaction-coordinator.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { itemError } from "../item-error.ts";
import { array, defineApi, int16, int32, int64, string, struct } from "../schema.ts";

export const listTransactions = defineApi({
  key: 66,
  name: "ListTransactions",
  versions: { min: 0, max: 2 },
  flexibleSince: 0,
  request: struct({
    stateFilters: array(string()),
    producerIdFilters: array(int64()),
    durationFilter: int64({ since: 1, default: -1 }),
    transactionalIdPattern: string({ since: 2, nullable: true, default: null }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    unknownStateFilters: array(string(), { default: [] }),
    transactionStates: array(
      struct({ transactionalId: string(), producerId: int64(), transactionState: string() }),
      { default: [] },
    ),
  }),
});

const phases: ReadonlySet<string> = new Set(transactionPhases);

export const handleListTransactions: Handler<typeof listTransactions> = (request, context) => {
  const unknownStateFilters = request.stateFilters.filter((name) => !phases.has(name));
  try {
    const onlyUnknown =
      request.stateFilters.length > 0 && unknownStateFilters.length === request.stateFilters.length;
    const listings = onlyUnknown
      ? []
      : context.broker.transactions.list({
          phases: request.stateFilters,
          producerIds: request.producerIdFilters,
          openForMs: request.durationFilter,
          idPattern: request.transactionalIdPattern || null,
        });
    const transactionStates = listings.map(({ transactionalId, producerId, phase }) => ({
      transactionalId,
      producerId,
      transactionState: phase,
    }));
    return { errorCode: errorCodes.NONE, unknownStateFilters, transactionStates };
  } catch (error) {
    return { errorCode: itemError(error, context, "ListTransactions").errorCode };
  }
};
