// OffsetDelete (47): forgets a group's offsets of single partitions (KIP-496), unless members read the topic.

import { errorCodeOf, errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, defineApi, int16, int32, string, struct } from "../schema.ts";

export const offsetDelete = defineApi({
  key: 47,
  name: "OffsetDelete",
  versions: { min: 0, max: 0 },
  request: struct({
    groupId: string(),
    topics: array(
      struct({ name: string(), partitions: array(struct({ partitionIndex: int32() })) }),
    ),
  }),
  response: struct({
    errorCode: int16(),
    throttleTimeMs: int32({ default: 0 }),
    topics: array(
      struct({
        name: string(),
        partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
      }),
      { default: [] },
    ),
  }),
});

export const handleOffsetDelete: Handler<typeof offsetDelete> = async (request, context) => {
  const { broker, report } = context;
  const known = broker.cluster().topics;
  const isKnown = (name: string, partition: number) =>
    known.get(name)?.partitions[partition] !== undefined;
  const wanted = request.topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ partitionIndex }) => isKnown(name, partitionIndex))
      .map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
  );
  try {
    const results = await broker.groups.deleteOffsets(request.groupId, wanted);
    let i = 0;
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: isKnown(name, partitionIndex)
          ? errorCodeOf(results[i++]!, "OffsetDelete", report)
          : errorCodes.UNKNOWN_TOPIC_OR_PARTITION,
      })),
    }));
    return { errorCode: 0, topics };
  } catch (error) {
    return { errorCode: errorCodeOf(error, "OffsetDelete", report) };
  }
};
