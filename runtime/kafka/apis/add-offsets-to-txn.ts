// AddOffsetsToTxn (25): a consumer group whose offsets a transaction is about to commit (KIP-98). v2 says
// PRODUCER_FENCED where older versions know only INVALID_PRODUCER_EPOCH, v3 is flexible, v4 is for clients that
// know TRANSACTION_ABORTABLE (KIP-890).

import type { Handler } from "../handler.ts";
import { defineApi, int16, int32, int64, string, struct } from "../schema.ts";
import { transactionErrorCode } from "../transaction-errors.ts";

export const addOffsetsToTxn = defineApi({
  key: 25,
  name: "AddOffsetsToTxn",
  versions: { min: 0, max: 4 },
  flexibleSince: 3,
  request: struct({
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    groupId: string(),
  }),
  response: struct({ throttleTimeMs: int32({ default: 0 }), errorCode: int16() }),
});

const fencedSince = 2;

export const handleAddOffsetsToTxn: Handler<typeof addOffsetsToTxn> = async (request, context) => {
  try {
    await context.broker.transactions.addGroup(request, request.groupId);
    return { errorCode: 0 };
  } catch (error) {
    return { errorCode: transactionErrorCode(error, context, { fencedSince }) };
  }
};
