// TxnOffsetCommit (28): a group's offsets that count when the transaction commits (KIP-98). v2 has leader epochs,
// v3 is flexible and names the member, so that one that was put out of its group is fenced (KIP-447), v5 adds the
// group to the transaction by itself (KIP-890).

import type { BrokerError } from "../../errors.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import type { RequestOf } from "../schema.ts";
import { array, defineApi, int16, int32, int64, string, struct } from "../schema.ts";
import { transactionErrorCode, withoutAbortable } from "../transaction-errors.ts";

export const txnOffsetCommit = defineApi({
  key: 28,
  name: "TxnOffsetCommit",
  versions: { min: 0, max: 5 },
  flexibleSince: 3,
  request: struct({
    transactionalId: string(),
    groupId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    generationId: int32({ since: 3, default: -1 }),
    memberId: string({ since: 3, default: "" }),
    groupInstanceId: string({ since: 3, nullable: 3, default: null }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ since: 2, default: -1 }),
            committedMetadata: string({ nullable: true }),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    topics: array(
      struct({
        name: string(),
        partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
      }),
    ),
  }),
});

type Request = RequestOf<typeof txnOffsetCommit>;
const abortableSince = 4;
const addsGroupSince = 5;

export const handleTxnOffsetCommit: Handler<typeof txnOffsetCommit> = async (request, context) => {
  try {
    const errors = await context.broker.transactions.commitOffsets(
      {
        transactionalId: request.transactionalId,
        producerId: request.producerId,
        producerEpoch: request.producerEpoch,
        groupId: request.groupId,
        memberId: request.memberId,
        groupInstanceId: request.groupInstanceId,
        generation: request.generationId,
        offsets: offsetsOf(request),
      },
      { addsGroup: context.apiVersion >= addsGroupSince },
    );
    let next = 0;
    return answer(request, () => codeOf(errors[next++] ?? null, context));
  } catch (error) {
    const code = codeOf(error, context);
    return answer(request, () => code);
  }
};

function offsetsOf({ topics }: Request) {
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions.map((each) => ({
      topic,
      partition: each.partitionIndex,
      offset: each.committedOffset,
      leaderEpoch: each.committedLeaderEpoch,
      metadata: each.committedMetadata ?? "",
    })),
  );
}

/** PRODUCER_FENCED is no error of this API in any version. */
function codeOf(error: BrokerError | unknown, context: HandlerContext): number {
  if (error === null) return errorCodes.NONE;
  const told = context.apiVersion < abortableSince ? withoutAbortable(error) : error;
  return transactionErrorCode(told, context, { fencedSince: Number.POSITIVE_INFINITY });
}

function answer(request: Request, code: () => number) {
  return {
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code() })),
    })),
  };
}
