// DescribeTransactions (65): what the coordinator knows of transactional ids (KIP-664). One version, flexible.

import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import { array, defineApi, int16, int32, int64, string, struct } from "../schema.ts";

export const describeTransactions = defineApi({
  key: 65,
  name: "DescribeTransactions",
  versions: { min: 0, max: 0 },
  flexibleSince: 0,
  request: struct({ transactionalIds: array(string()) }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    transactionStates: array(
      struct({
        errorCode: int16(),
        transactionalId: string(),
        transactionState: string({ default: "" }),
        transactionTimeoutMs: int32({ default: 0 }),
        transactionStartTimeMs: int64({ default: -1 }),
        producerId: int64({ default: -1 }),
        producerEpoch: int16({ default: -1 }),
        topics: array(struct({ topic: string(), partitions: array(int32()) }), { default: [] }),
      }),
    ),
  }),
});

export const handleDescribeTransactions: Handler<typeof describeTransactions> = (
  request,
  context,
) => ({
  transactionStates: [...new Set(request.transactionalIds)].map((id) => describe(id, context)),
});

function describe(transactionalId: string, context: HandlerContext) {
  try {
    const view = context.broker.transactions.describe(transactionalId);
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of view.partitions) {
      topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    }
    return {
      errorCode: errorCodes.NONE,
      transactionalId,
      transactionState: view.phase,
      transactionTimeoutMs: view.timeoutMs,
      transactionStartTimeMs: view.startMs,
      producerId: view.producerId,
      producerEpoch: view.producerEpoch,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    };
  } catch (error) {
    const { errorCode } = itemError(error, context, "DescribeTransactions");
    return { errorCode, transactionalId };
  }
}
