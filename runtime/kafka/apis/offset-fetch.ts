// OffsetFetch (9): what a group has committed. v2 takes null for "everything" and adds a top-level error, v5 leader
// epochs, v7 requireStable (KIP-447), v8 many groups at once (KIP-709), v9 members of the consumer protocol
// (KIP-848), v10 names topics by id. A partition without an offset is −1, not an error.

import type { TopicPartition } from "../../broker.ts";
import type { FetchedOffset } from "../../group-coordinator.ts";
import { errorCodeOf, errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import {
  array,
  boolean,
  defineApi,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseInput,
  string,
  struct,
  uuid,
} from "../schema.ts";
import { zeroUuid } from "../uuid.ts";
import { nameOf, topicIdsSince } from "./topic-reference.ts";

const answeredPartition = struct({
  partitionIndex: int32(),
  committedOffset: int64(),
  committedLeaderEpoch: int32({ since: 5, default: -1 }),
  metadata: string({ nullable: true }),
  errorCode: int16(),
});

export const offsetFetch = defineApi({
  key: 9,
  name: "OffsetFetch",
  versions: { min: 1, max: 10 },
  flexibleSince: 6,
  request: struct({
    groupId: string({ until: 7, default: "" }),
    topics: array(struct({ name: string(), partitionIndexes: array(int32()) }), {
      until: 7,
      nullable: 2,
      default: [],
    }),
    groups: array(
      struct({
        groupId: string(),
        memberId: string({ since: 9, nullable: true, default: null }),
        memberEpoch: int32({ since: 9, default: -1 }),
        topics: array(
          struct({
            name: string({ until: 9, default: "" }),
            topicId: uuid({ since: 10, default: zeroUuid }),
            partitionIndexes: array(int32()),
          }),
          { nullable: true },
        ),
      }),
      { since: 8, default: [] },
    ),
    requireStable: boolean({ since: 7, default: false }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 3, default: 0 }),
    topics: array(struct({ name: string(), partitions: array(answeredPartition) }), {
      until: 7,
      default: [],
    }),
    errorCode: int16({ since: 2, until: 7, default: 0 }),
    groups: array(
      struct({
        groupId: string(),
        topics: array(
          struct({
            name: string({ until: 9, default: "" }),
            topicId: uuid({ since: 10, default: zeroUuid }),
            partitions: array(answeredPartition),
          }),
        ),
        errorCode: int16(),
      }),
      { since: 8, default: [] },
    ),
  }),
});

type AskedGroup = RequestOf<typeof offsetFetch>["groups"][number];
type AnsweredGroup = NonNullable<ResponseInput<typeof offsetFetch>["groups"]>[number];
type AnsweredTopic = AnsweredGroup["topics"][number];
type AnsweredPartition = AnsweredTopic["partitions"][number];

const groupsSince = 8;
const topLevelErrorSince = 2;

export const handleOffsetFetch: Handler<typeof offsetFetch> = (request, context) => {
  const { requireStable } = request;
  if (context.apiVersion >= groupsSince) {
    const groups = request.groups.map((group) => fetchGroup(group, requireStable, context));
    return { groups };
  }
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: zeroUuid })) ?? null;
  const group = { groupId: request.groupId, memberId: null, memberEpoch: -1, topics };
  const answer = fetchGroup(group, requireStable, context);
  const isTold = context.apiVersion >= topLevelErrorSince;
  const failed = answer.errorCode !== 0 && !isTold;
  return {
    errorCode: answer.errorCode,
    topics: (failed ? failedTopics(topics ?? [], answer.errorCode) : answer.topics).map(
      ({ name, partitions }) => ({ name: name ?? "", partitions }),
    ),
  };
};

function fetchGroup(
  group: AskedGroup,
  requireStable: boolean,
  context: HandlerContext,
): AnsweredGroup {
  const { broker, apiVersion, report } = context;
  const { groupId, memberId, memberEpoch, topics } = group;
  const cluster = broker.cluster();
  const partitions: TopicPartition[] = [];
  const unknown: AnsweredTopic[] = [];
  for (const reference of topics ?? []) {
    const topic = nameOf(reference, cluster, apiVersion);
    if (topic === undefined) {
      unknown.push(...failedTopics([reference], errorCodes.UNKNOWN_TOPIC_ID));
    } else {
      for (const partition of reference.partitionIndexes) partitions.push({ topic, partition });
    }
  }
  try {
    const asked = topics === null ? null : partitions;
    const request = { groupId, memberId, memberEpoch, partitions: asked, requireStable };
    const found = broker.groups.fetchOffsets(request);
    const byTopic = gather(found, context);
    return { groupId, errorCode: errorCodes.NONE, topics: [...byTopic, ...unknown] };
  } catch (error) {
    return { groupId, errorCode: errorCodeOf(error, "OffsetFetch", report), topics: [] };
  }
}

function gather(found: readonly FetchedOffset[], context: HandlerContext): AnsweredTopic[] {
  const { broker, apiVersion, report } = context;
  const byTopic = new Map<string, AnsweredPartition[]>();
  for (const { topic, partition, offset, leaderEpoch, metadata, error } of found) {
    let partitions = byTopic.get(topic);
    if (partitions === undefined) {
      partitions = [];
      byTopic.set(topic, partitions);
    }
    partitions.push({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      metadata,
      errorCode: errorCodeOf(error, "OffsetFetch", report),
    });
  }
  const known = broker.cluster().topics;
  return [...byTopic]
    .map(([name, partitions]) => ({
      name,
      topicId: known.get(name)?.id ?? zeroUuid,
      partitions,
    }))
    .filter(({ topicId }) => apiVersion < topicIdsSince || topicId !== zeroUuid);
}

function failedTopics(
  topics: readonly { name: string; topicId: string; partitionIndexes: readonly number[] }[],
  errorCode: number,
): AnsweredTopic[] {
  return topics.map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      metadata: "",
      errorCode,
    })),
  }));
}
