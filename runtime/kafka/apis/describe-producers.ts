// DescribeProducers (61): the idempotent and transactional producers a partition remembers (KIP-664), for
// finding hanging transactions. Only the leader answers. One version, flexible.

import type { ProducerView, TopicPartition } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import { checkTopicName } from "../../topic-name.ts";
import { noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import type { RequestOf } from "../schema.ts";
import { array, defineApi, int16, int32, int64, string, struct } from "../schema.ts";

export const describeProducers = defineApi({
  key: 61,
  name: "DescribeProducers",
  versions: { min: 0, max: 0 },
  flexibleSince: 0,
  request: struct({
    topics: array(struct({ name: string(), partitionIndexes: array(int32()) })),
  }),
  response: struct({
    throttleTimeMs: int32(),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ nullable: true }),
            activeProducers: array(
              struct({
                producerId: int64(),
                producerEpoch: int32(),
                lastSequence: int32({ default: -1 }),
                lastTimestamp: int64({ default: -1 }),
                coordinatorEpoch: int32(),
                currentTxnStartOffset: int64({ default: -1 }),
              }),
            ),
          }),
        ),
      }),
    ),
  }),
});

export const handleDescribeProducers: Handler<typeof describeProducers> = (request, context) => ({
  throttleTimeMs: 0,
  topics: Array.from(partitionsByTopic(request), ([name, partitions]) => ({
    name,
    partitions: Array.from(partitions, (partition) =>
      describe({ topic: name, partition }, context),
    ),
  })),
});

/** Each partition once: what it remembers may be much longer than its name. */
function partitionsByTopic({ topics }: RequestOf<typeof describeProducers>) {
  const byTopic = new Map<string, Set<number>>();
  for (const { name, partitionIndexes } of topics) {
    const partitions = byTopic.get(name) ?? new Set<number>();
    for (const partition of partitionIndexes) partitions.add(partition);
    byTopic.set(name, partitions);
  }
  return byTopic;
}

function describe(at: TopicPartition, context: HandlerContext) {
  const partitionIndex = at.partition;
  try {
    checkTopicName(at.topic);
    const { topics } = context.broker.cluster();
    if (!topics.get(at.topic)?.partitions[partitionIndex]) {
      throw new BrokerError(
        "UNKNOWN_TOPIC_OR_PARTITION",
        "This server does not host this topic-partition.",
      );
    }
    const activeProducers = context.broker.describeProducers(at).map(encoded);
    return { partitionIndex, ...noError, activeProducers };
  } catch (error) {
    const failure = itemError(error, context, "DescribeProducers");
    return { partitionIndex, ...failure, activeProducers: [] };
  }
}

function encoded(producer: ProducerView) {
  return {
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    lastSequence: producer.lastSequence,
    lastTimestamp: producer.lastTimestampMs,
    coordinatorEpoch: producer.coordinatorEpoch,
    currentTxnStartOffset: producer.transactionStartOffset,
  };
}
