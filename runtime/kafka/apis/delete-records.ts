// DeleteRecords (21): moves the log start of partitions to an offset, -1 to the high watermark (KIP-107), and
// answers the new log start; what lies before it can no longer be read. OFFSET_OUT_OF_RANGE above the high
// watermark. v2 is flexible.

import type { TopicPartition } from "../../broker.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import type { RequestOf } from "../schema.ts";
import { array, defineApi, int16, int32, int64, string, struct } from "../schema.ts";

export const deleteRecords = defineApi({
  key: 21,
  name: "DeleteRecords",
  versions: { min: 0, max: 2 },
  flexibleSince: 2,
  request: struct({
    topics: array(
      struct({
        name: string(),
        partitions: array(struct({ partitionIndex: int32(), offset: int64() })),
      }),
    ),
    timeoutMs: int32(),
  }),
  response: struct({
    throttleTimeMs: int32(),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({ partitionIndex: int32(), lowWatermark: int64(), errorCode: int16() }),
        ),
      }),
    ),
  }),
});

export const handleDeleteRecords: Handler<typeof deleteRecords> = async (request, context) => {
  const topics = Array.from(offsetsByTopic(request), async ([name, offsets]) => ({
    name,
    partitions: await Promise.all(
      Array.from(offsets, ([partition, offset]) =>
        deleteBefore({ topic: name, partition, offset }, context),
      ),
    ),
  }));
  return { throttleTimeMs: 0, topics: await Promise.all(topics) };
};

/** Each partition once; of one that is named again the last offset counts, as in Kafka. */
function offsetsByTopic({ topics }: RequestOf<typeof deleteRecords>) {
  const byTopic = new Map<string, Map<number, number>>();
  for (const { name, partitions } of topics) {
    const offsets = byTopic.get(name) ?? new Map<number, number>();
    for (const { partitionIndex, offset } of partitions) offsets.set(partitionIndex, offset);
    byTopic.set(name, offsets);
  }
  return byTopic;
}

async function deleteBefore(
  request: TopicPartition & { readonly offset: number },
  context: HandlerContext,
) {
  const partitionIndex = request.partition;
  try {
    const topic = context.broker.cluster().topics.get(request.topic);
    if (!topic?.partitions[partitionIndex]) {
      const errorCode = errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
      return { partitionIndex, lowWatermark: -1, errorCode };
    }
    const lowWatermark = await context.broker.deleteRecords(request);
    return { partitionIndex, lowWatermark, errorCode: 0 };
  } catch (error) {
    const { errorCode } = itemError(error, context, "DeleteRecords");
    return { partitionIndex, lowWatermark: -1, errorCode };
  }
}
