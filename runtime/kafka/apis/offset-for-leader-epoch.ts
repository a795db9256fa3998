// OffsetForLeaderEpoch (23): where a leader epoch ends in this log. Consumers use it after a leader change to
// find out whether the log was truncated under them (KIP-320). v3 names the replica that asks, v4 is flexible.

import { errorAnswer, errorCodeOf } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { array, defineApi, int16, int32, int64, string, struct } from "../schema.ts";

export const offsetForLeaderEpoch = defineApi({
  key: 23,
  name: "OffsetForLeaderEpoch",
  versions: { min: 2, max: 4 },
  flexibleSince: 4,
  request: struct({
    replicaId: int32({ since: 3, default: -2 }),
    topics: array(
      struct({
        topic: string(),
        partitions: array(
          struct({
            partition: int32(),
            currentLeaderEpoch: int32({ default: -1 }),
            leaderEpoch: int32(),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    topics: array(
      struct({
        topic: string(),
        partitions: array(
          struct({
            errorCode: int16(),
            partition: int32(),
            leaderEpoch: int32({ default: -1 }),
            endOffset: int64({ default: -1 }),
          }),
        ),
      }),
    ),
  }),
});

export const handleOffsetForLeaderEpoch: Handler<typeof offsetForLeaderEpoch> = (
  request,
  context,
) => ({
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((asked) => endOf({ topic, ...asked }, context)),
  })),
});

function endOf(
  asked: { topic: string; partition: number; leaderEpoch: number; currentLeaderEpoch: number },
  { broker, report }: HandlerContext,
) {
  const { partition } = asked;
  const what = `OffsetForLeaderEpoch of ${asked.topic}-${partition}`;
  try {
    const { error, leaderEpoch, endOffset } = broker.epochEndOffset(asked);
    return { errorCode: errorCodeOf(error, what, report), partition, leaderEpoch, endOffset };
  } catch (error) {
    return { errorCode: errorAnswer(error, what, report).errorCode, partition };
  }
}
