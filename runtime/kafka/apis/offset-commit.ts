// OffsetCommit (8): a group's offsets are stored. v2–4 may say how long they are kept, v6 adds leader epochs, v7
// static members, v9 knows the consumer protocol's errors (KIP-848), v10 names topics by id.

import { BrokerError } from "../../errors.ts";
import type { OffsetToCommit } from "../../group-coordinator.ts";
import { errorCodeOf, errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import {
  array,
  defineApi,
  int16,
  int32,
  int64,
  type ResponseInput,
  string,
  struct,
  uuid,
} from "../schema.ts";
import { zeroUuid } from "../uuid.ts";
import { nameOf } from "./topic-reference.ts";

export const offsetCommit = defineApi({
  key: 8,
  name: "OffsetCommit",
  versions: { min: 2, max: 10 },
  flexibleSince: 8,
  request: struct({
    groupId: string(),
    generationIdOrMemberEpoch: int32({ default: -1 }),
    memberId: string(),
    groupInstanceId: string({ since: 7, nullable: true, default: null }),
    retentionTimeMs: int64({ until: 4, default: -1 }),
    topics: array(
      struct({
        name: string({ until: 9, default: "" }),
        topicId: uuid({ since: 10, default: zeroUuid }),
        partitions: array(
          struct({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ since: 6, default: -1 }),
            committedMetadata: string({ nullable: true }),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 3, default: 0 }),
    topics: array(
      struct({
        name: string({ until: 9, default: "" }),
        topicId: uuid({ since: 10, default: zeroUuid }),
        partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
      }),
    ),
  }),
});

type Topics = ResponseInput<typeof offsetCommit>["topics"];

export const handleOffsetCommit: Handler<typeof offsetCommit> = async (request, context) => {
  const { apiVersion, broker, report } = context;
  const cluster = broker.cluster();
  const offsets: OffsetToCommit[] = [];
  for (const reference of request.topics) {
    const topic = nameOf(reference, cluster, apiVersion);
    if (topic === undefined) continue;
    for (const each of reference.partitions) {
      offsets.push({
        topic,
        partition: each.partitionIndex,
        offset: each.committedOffset,
        leaderEpoch: each.committedLeaderEpoch,
        metadata: each.committedMetadata ?? "",
      });
    }
  }
  const answered = (codeOf: () => number): Topics =>
    request.topics.map((reference) => {
      const isUnknown = nameOf(reference, cluster, apiVersion) === undefined;
      const partitions = reference.partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: isUnknown ? errorCodes.UNKNOWN_TOPIC_ID : codeOf(),
      }));
      return { name: reference.name, topicId: reference.topicId, partitions };
    });
  try {
    const results = await broker.groups.commitOffsets({
      groupId: request.groupId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      generation: request.generationIdOrMemberEpoch,
      retentionMs: request.retentionTimeMs,
      version: apiVersion,
      offsets,
    });
    let i = 0;
    return { topics: answered(() => errorCodeOf(results[i++]!, "OffsetCommit", report)) };
  } catch (error) {
    const errorCode = errorCodeOf(commitFault(error), "OffsetCommit", report);
    return { topics: answered(() => errorCode) };
  }
};

/** Clients do not know a topic's or a disk's trouble as the fault of a commit. */
function commitFault(error: unknown): unknown {
  if (!(error instanceof BrokerError) || error.code !== "KAFKA_STORAGE_ERROR") return error;
  return new BrokerError("COORDINATOR_NOT_AVAILABLE", error.message, { cause: error });
}
