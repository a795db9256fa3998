// EndTxn (26): commits or aborts (KIP-98). v2 says PRODUCER_FENCED where older versions know only
// INVALID_PRODUCER_EPOCH, v3 is flexible, v4 is for clients that know TRANSACTION_ABORTABLE, v5 is transaction
// protocol V2 (KIP-890): every end gives the producer a new epoch, or a new id when epochs are used up.

import type { Handler } from "../handler.ts";
import { boolean, defineApi, int16, int32, int64, string, struct } from "../schema.ts";
import { transactionErrorCode } from "../transaction-errors.ts";

export const endTxn = defineApi({
  key: 26,
  name: "EndTxn",
  versions: { min: 0, max: 5 },
  flexibleSince: 3,
  request: struct({
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerId: int64({ since: 5, default: -1 }),
    producerEpoch: int16({ since: 5, default: -1 }),
  }),
});

const fencedSince = 2;
const epochBumpSince = 5;

export const handleEndTxn: Handler<typeof endTxn> = async (request, context) => {
  try {
    const bumpsEpoch = context.apiVersion >= epochBumpSince;
    const isCommit = request.committed;
    const identity = await context.broker.transactions.end(request, { isCommit, bumpsEpoch });
    return bumpsEpoch ? { errorCode: 0, ...identity } : { errorCode: 0 };
  } catch (error) {
    return { errorCode: transactionErrorCode(error, context, { fencedSince }) };
  }
};
