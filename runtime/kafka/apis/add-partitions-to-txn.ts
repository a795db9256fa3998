// AddPartitionsToTxn (24): partitions that a transaction is about to write to (KIP-98). v2 says PRODUCER_FENCED
// where older versions know only INVALID_PRODUCER_EPOCH, v3 is flexible. v4 and newer are for brokers only and not
// advertised: a client that sees them would use them.

import type { TopicPartition } from "../../broker.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import type { RequestOf } from "../schema.ts";
import { array, defineApi, int16, int32, int64, string, struct } from "../schema.ts";
import { transactionErrorCode } from "../transaction-errors.ts";

export const addPartitionsToTxn = defineApi({
  key: 24,
  name: "AddPartitionsToTxn",
  versions: { min: 0, max: 3 },
  flexibleSince: 3,
  request: struct({
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    topics: array(struct({ name: string(), partitions: array(int32()) })),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    results: array(
      struct({
        name: string(),
        partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
      }),
    ),
  }),
});

type Request = RequestOf<typeof addPartitionsToTxn>;
const fencedSince = 2;

export const handleAddPartitionsToTxn: Handler<typeof addPartitionsToTxn> = async (
  request,
  context,
) => {
  const { topics } = context.broker.cluster();
  const isKnown = (topic: string, partition: number) =>
    topics.get(topic)?.partitions[partition] !== undefined;
  const places: TopicPartition[] = request.topics.flatMap(({ name, partitions }) =>
    partitions.map((partition) => ({ topic: name, partition })),
  );
  if (!places.every(({ topic, partition }) => isKnown(topic, partition))) {
    // All or nothing: the transaction does not change.
    return answer(request, (name, partition) =>
      isKnown(name, partition)
        ? errorCodes.OPERATION_NOT_ATTEMPTED
        : errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
    );
  }
  try {
    await context.broker.transactions.addPartitions(request, places);
    return answer(request, () => errorCodes.NONE);
  } catch (error) {
    const code = transactionErrorCode(error, context, { fencedSince });
    return answer(request, () => code);
  }
};

function answer(request: Request, code: (name: string, partition: number) => number) {
  return {
    results: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        errorCode: code(name, partitionIndex),
      })),
    })),
  };
}
