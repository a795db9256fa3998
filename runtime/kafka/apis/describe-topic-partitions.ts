// DescribeTopicPartitions (75): partitions of topics in pages (KIP-966), for clusters too big for one Metadata
// answer. Topics come sorted by name; no names mean all. A page holds at most 2,000 partitions, or fewer if asked;
// the answer's cursor says where the next page begins, null after the last. One version, flexible.

import type { PartitionRecord, TopicRecord } from "../../../cluster/control-plane.ts";
import { checkTopicName, internalTopics } from "../../topic-name.ts";
import { notRequested, operations } from "../authorized-operations.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import type { RequestOf, ResponseInput } from "../schema.ts";
import { array, boolean, defineApi, int16, int32, string, struct, uuid } from "../schema.ts";
import { zeroUuid } from "../uuid.ts";

const cursor = struct({ topicName: string(), partitionIndex: int32() }, { nullable: true });

export const describeTopicPartitions = defineApi({
  key: 75,
  name: "DescribeTopicPartitions",
  versions: { min: 0, max: 0 },
  flexibleSince: 0,
  request: struct({
    topics: array(struct({ name: string() })),
    responsePartitionLimit: int32({ default: 2000 }),
    cursor,
  }),
  response: struct({
    throttleTimeMs: int32(),
    topics: array(
      struct({
        errorCode: int16(),
        name: string({ nullable: true }),
        topicId: uuid(),
        isInternal: boolean(),
        partitions: array(
          struct({
            errorCode: int16(),
            partitionIndex: int32(),
            leaderId: int32(),
            leaderEpoch: int32({ default: -1 }),
            replicaNodes: array(int32()),
            isrNodes: array(int32()),
            eligibleLeaderReplicas: array(int32(), { nullable: true }),
            lastKnownElr: array(int32(), { nullable: true }),
            offlineReplicas: array(int32()),
          }),
        ),
        topicAuthorizedOperations: int32({ default: notRequested }),
      }),
    ),
    nextCursor: cursor,
  }),
});

type Request = RequestOf<typeof describeTopicPartitions>;
type Response = ResponseInput<typeof describeTopicPartitions>;
type Cursor = Response["nextCursor"];
type TopicAnswer = Response["topics"][number];

/** Kafka's max.request.partition.size.limit. */
const partitionsMax = 2_000;

export const handleDescribeTopicPartitions: Handler<typeof describeTopicPartitions> = (
  request,
  context,
) => {
  if (!isUsable(request)) return refused(request);
  const names = wantedNames(request, context);
  const limit = Math.max(1, Math.min(partitionsMax, request.responsePartitionLimit));
  const topics: TopicAnswer[] = [];
  let left = limit;
  for (const name of names) {
    const from = name === request.cursor?.topicName ? request.cursor.partitionIndex : 0;
    if (left === 0) return page(topics, { topicName: name, partitionIndex: from });
    const topic = context.broker.cluster().topics.get(name);
    const partitions = topic?.partitions.slice(from, from + left) ?? [];
    topics.push(topic ? described(topic, partitions, context) : unknown(name, context));
    left -= partitions.length;
    const next = from + partitions.length;
    if (topic && next < topic.partitions.length) {
      return page(topics, { topicName: name, partitionIndex: next });
    }
  }
  return page(topics, null);
};

/** A cursor names a partition of a topic that is asked for. */
function isUsable({ topics, cursor }: Request): boolean {
  if (cursor === null) return true;
  const isAskedFor = topics.length === 0 || topics.some(({ name }) => name === cursor.topicName);
  return isAskedFor && cursor.partitionIndex >= 0;
}

/** There is no error for the whole answer: every topic that was asked for gets it. */
function refused({ topics }: Request): Response {
  const errorCode = errorCodes.INVALID_REQUEST;
  return page(
    topics.map(({ name }) => ({ ...absent, name, errorCode })),
    null,
  );
}

/** Sorted, each once, from the cursor on. */
function wantedNames({ topics, cursor }: Request, { broker }: HandlerContext): string[] {
  const known = broker.cluster().topics;
  const names = topics.length === 0 ? known.keys() : topics.map(({ name }) => name);
  const sorted = [...new Set(names)].sort();
  return cursor === null ? sorted : sorted.filter((name) => name >= cursor.topicName);
}

function page(topics: readonly TopicAnswer[], nextCursor: Cursor): Response {
  return { throttleTimeMs: 0, topics, nextCursor };
}

const absent = { topicId: zeroUuid, isInternal: false, partitions: [] };

function unknown(name: string, context: HandlerContext): TopicAnswer {
  const topicAuthorizedOperations = operations.topic;
  let errorCode: number = errorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  try {
    checkTopicName(name);
  } catch (error) {
    errorCode = itemError(error, context, "DescribeTopicPartitions").errorCode;
  }
  return { ...absent, errorCode, name, topicAuthorizedOperations };
}

function described(
  topic: TopicRecord,
  partitions: readonly PartitionRecord[],
  { broker }: HandlerContext,
): TopicAnswer {
  const { brokers } = broker.cluster();
  const isOffline = (id: number) => brokers.get(id)?.fenced ?? true;
  return {
    errorCode: errorCodes.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: internalTopics.has(topic.name),
    partitions: partitions.map((partition) => describedPartition(partition, isOffline)),
    topicAuthorizedOperations: operations.topic,
  };
}

function describedPartition(partition: PartitionRecord, isOffline: (id: number) => boolean) {
  return {
    errorCode: partition.leader === -1 ? errorCodes.LEADER_NOT_AVAILABLE : errorCodes.NONE,
    partitionIndex: partition.partition,
    leaderId: partition.leader,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: partition.replicas,
    isrNodes: partition.isr,
    eligibleLeaderReplicas: partition.elr,
    lastKnownElr: partition.lastKnownLeader < 0 ? [] : [partition.lastKnownLeader],
    offlineReplicas: partition.replicas.filter(isOffline),
  };
}
