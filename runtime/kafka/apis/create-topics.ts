// CreateTopics (19): makes topics with a partition count and replication factor, or with given replicas.
// Each topic succeeds or fails alone, answers come in the order asked; a name that occurs twice is created by
// neither entry and answered once. -1 as count or factor means the broker's default (KIP-464).
// v4 lets clients use those defaults, v5 is flexible and answers counts and configs (KIP-525), v6 may answer
// THROTTLING_QUOTA_EXCEEDED, v7 adds the topic id.

import type { CreatedTopic, CreateTopicRequest } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import { configSource } from "../config-resources.ts";
import { noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { duplicates, itemError, refusal } from "../item-error.ts";
import { checkAssignments, type Replicas } from "../replica-assignments.ts";
import type { RequestOf, ResponseInput } from "../schema.ts";
import { array, boolean, defineApi, int8, int16, int32, string, struct, uuid } from "../schema.ts";
import { zeroUuid } from "../uuid.ts";

export const createTopics = defineApi({
  key: 19,
  name: "CreateTopics",
  versions: { min: 2, max: 7 },
  flexibleSince: 5,
  request: struct({
    topics: array(
      struct({
        name: string(),
        numPartitions: int32(),
        replicationFactor: int16(),
        assignments: array(struct({ partitionIndex: int32(), brokerIds: array(int32()) })),
        configs: array(struct({ name: string(), value: string({ nullable: true }) })),
      }),
    ),
    timeoutMs: int32(),
    validateOnly: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32(),
    topics: array(
      struct({
        name: string(),
        topicId: uuid({ since: 7 }),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        topicConfigErrorCode: int16({ since: 5, tag: 0, tagSince: 5, default: 0 }),
        numPartitions: int32({ since: 5 }),
        replicationFactor: int16({ since: 5 }),
        configs: array(
          struct({
            name: string(),
            value: string({ nullable: true }),
            readOnly: boolean(),
            configSource: int8(),
            isSensitive: boolean(),
          }),
          { since: 5, nullable: 5 },
        ),
      }),
    ),
  }),
});

type Topic = RequestOf<typeof createTopics>["topics"][number];
type TopicResult = ResponseInput<typeof createTopics>["topics"][number];

/** Partitions of all topics of one request together, as in Kafka. */
const requestPartitionsMax = 10_000;
const tooManyPartitions = "Excessively large number of partitions per request.";

export const handleCreateTopics: Handler<typeof createTopics> = async (request, context) => {
  if (partitionsOf(request.topics) > requestPartitionsMax) {
    const answer = refusal("POLICY_VIOLATION", tooManyPartitions);
    return { throttleTimeMs: 0, topics: request.topics.map(({ name }) => failed(name, answer)) };
  }
  const twice = duplicates(request.topics.map((topic) => topic.name));
  const topics = new Map<string, TopicResult>();
  for (const topic of request.topics) {
    if (topics.has(topic.name)) continue;
    const result = twice.has(topic.name)
      ? failed(topic.name, refusal("INVALID_REQUEST", "Duplicate topic name."))
      : await create(topic, request.validateOnly, context);
    topics.set(topic.name, result);
  }
  return { throttleTimeMs: 0, topics: [...topics.values()] };
};

async function create(
  topic: Topic,
  validateOnly: boolean,
  context: HandlerContext,
): Promise<TopicResult> {
  try {
    return succeeded(await context.broker.createTopic({ ...wanted(topic, context), validateOnly }));
  } catch (error) {
    return failed(topic.name, itemError(error, context, "CreateTopics"));
  }
}

function partitionsOf(topics: readonly Topic[]): number {
  return topics.reduce(
    (sum, { numPartitions, assignments }) => sum + Math.max(numPartitions, assignments.length, 1),
    0,
  );
}

function wanted(topic: Topic, { broker }: HandlerContext): CreateTopicRequest {
  const request = {
    name: topic.name,
    partitions: topic.numPartitions,
    replicationFactor: topic.replicationFactor,
    configs: wantedConfigs(topic),
  };
  if (topic.assignments.length === 0) {
    assertCounts(topic);
    return request;
  }
  if (topic.numPartitions !== -1 || topic.replicationFactor !== -1) {
    const what = topic.replicationFactor === -1 ? "numPartitions" : "replication factor";
    throw new BrokerError(
      "INVALID_REQUEST",
      `A manual partition assignment was specified, but ${what} was not set to -1.`,
    );
  }
  const assignments = inOrder(topic.assignments);
  checkAssignments(assignments, { broker });
  return { ...request, assignments };
}

function assertCounts({ numPartitions, replicationFactor }: Topic): void {
  if (replicationFactor < -1 || replicationFactor === 0) {
    throw new BrokerError(
      "INVALID_REPLICATION_FACTOR",
      "Replication factor must be larger than 0, or -1 to use the default value.",
    );
  }
  if (numPartitions < -1 || numPartitions === 0) {
    throw new BrokerError(
      "INVALID_PARTITIONS",
      "Number of partitions was set to an invalid non-positive value.",
    );
  }
}

function wantedConfigs(topic: Topic): Map<string, string> {
  const configs = new Map<string, string>();
  for (const { name, value } of topic.configs) {
    if (value === null) {
      throw new BrokerError(
        "INVALID_CONFIG",
        `Null value not supported for topic configs: ${name}`,
      );
    }
    configs.set(name, value);
  }
  return configs;
}

/** Replicas by partition; the indexes must be 0, 1, 2 … in any order, each once. */
function inOrder(assignments: Topic["assignments"]): Replicas[] {
  const byIndex = new Map<number, Replicas>();
  for (const { partitionIndex, brokerIds } of assignments) {
    if (byIndex.has(partitionIndex)) {
      throw invalidAssignment(
        `Found multiple manual partition assignments for partition ${partitionIndex}`,
      );
    }
    byIndex.set(partitionIndex, brokerIds);
  }
  return Array.from({ length: byIndex.size }, (_, partition) => {
    const replicas = byIndex.get(partition);
    if (replicas) return replicas;
    throw invalidAssignment("partitions should be a consecutive 0-based integer sequence");
  });
}

function invalidAssignment(message: string): BrokerError {
  return new BrokerError("INVALID_REPLICA_ASSIGNMENT", message);
}

function succeeded(topic: CreatedTopic): TopicResult {
  return {
    ...noError,
    name: topic.name,
    topicId: topic.id,
    numPartitions: topic.partitions,
    replicationFactor: topic.replicationFactor,
    configs: topic.configs.map((entry) => ({
      name: entry.name,
      value: entry.sensitive ? null : entry.value,
      readOnly: entry.readOnly,
      configSource: configSource[entry.source],
      isSensitive: entry.sensitive,
    })),
  };
}

function failed(name: string, error: ReturnType<typeof refusal>): TopicResult {
  return {
    ...error,
    name,
    topicId: zeroUuid,
    numPartitions: -1,
    replicationFactor: -1,
    configs: [],
  };
}
