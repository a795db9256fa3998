// Metadata (3): brokers, topics, leaders. v0: no topics named means all; from v1 null means all and an empty
// list none. v4 lets a client forbid auto-creation; v8 asks for authorized operations (cluster's until v10);
// v10 adds topic ids, v12 lets a client ask by id alone; v13 adds a top-level error.
// A topic that does not exist is created when client and broker allow it, and the answer describes it whole.

import type { ClusterState, TopicRecord } from "../../../cluster/control-plane.ts";
import type { Broker } from "../../broker.ts";
import { internalTopics } from "../../topic-name.ts";
import { notRequested, operations } from "../authorized-operations.ts";
import { errorAnswer, errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { addressOf } from "../leaders.ts";
import {
  array,
  boolean,
  defineApi,
  int16,
  int32,
  type RequestOf,
  type ResponseInput,
  string,
  struct,
  uuid,
} from "../schema.ts";
import { zeroUuid } from "../uuid.ts";

export const metadata = defineApi({
  key: 3,
  name: "Metadata",
  versions: { min: 0, max: 13 },
  flexibleSince: 9,
  request: struct({
    topics: array(
      struct({
        topicId: uuid({ since: 10, default: zeroUuid }),
        name: string({ nullable: 10 }),
      }),
      { nullable: 1 },
    ),
    allowAutoTopicCreation: boolean({ since: 4, default: true }),
    includeClusterAuthorizedOperations: boolean({ since: 8, until: 10, default: false }),
    includeTopicAuthorizedOperations: boolean({ since: 8, default: false }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 3, default: 0 }),
    brokers: array(
      struct({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ since: 1, nullable: true, default: null }),
      }),
    ),
    clusterId: string({ since: 2, nullable: true, default: null }),
    controllerId: int32({ since: 1, default: -1 }),
    topics: array(
      struct({
        errorCode: int16(),
        name: string({ nullable: 12 }),
        topicId: uuid({ since: 10, default: zeroUuid }),
        isInternal: boolean({ since: 1, default: false }),
        partitions: array(
          struct({
            errorCode: int16(),
            partitionIndex: int32(),
            leaderId: int32(),
            leaderEpoch: int32({ since: 7, default: -1 }),
            replicaNodes: array(int32()),
            isrNodes: array(int32()),
            offlineReplicas: array(int32(), { since: 5, default: [] }),
          }),
        ),
        topicAuthorizedOperations: int32({ since: 8, default: notRequested }),
      }),
    ),
    clusterAuthorizedOperations: int32({ since: 8, until: 10, default: notRequested }),
    errorCode: int16({ since: 13, default: 0 }),
  }),
});

type Request = RequestOf<typeof metadata>;
type Response = ResponseInput<typeof metadata>;
type TopicAnswer = Response["topics"][number];
type Asked = NonNullable<Request["topics"]>[number];

export const handleMetadata: Handler<typeof metadata> = (request, context) => {
  const allowed = request.includeTopicAuthorizedOperations ? operations.topic : notRequested;
  const { topics: known } = context.broker.cluster();
  if (asksForAll(request, context.apiVersion)) {
    const { brokers } = context.broker.cluster();
    const all = Array.from(known.values(), (topic) => topicAnswer(topic, brokers, allowed));
    return answer(request, context, all);
  }
  const asked = request.topics ?? [];
  const missing = asked.filter((topic) => isNamed(topic) && !known.has(topic.name));
  if (missing.length === 0 || !request.allowAutoTopicCreation) {
    const found = asked.map((topic) => find(topic, context, allowed, noFailures));
    return answer(request, context, found);
  }
  return createMissing(missing, context).then((failures) =>
    answer(
      request,
      context,
      asked.map((topic) => find(topic, context, allowed, failures)),
    ),
  );
};

/** Error code by topic name. */
type Failures = ReadonlyMap<string, number>;
const noFailures: Failures = new Map();

function asksForAll(request: Request, version: number): boolean {
  return request.topics === null || (version === 0 && request.topics.length === 0);
}

function isNamed(topic: Asked): topic is Asked & { name: string } {
  return topic.name !== null && topic.topicId === zeroUuid;
}

async function createMissing(
  missing: readonly Asked[],
  { broker, report }: HandlerContext,
): Promise<Failures> {
  const failures = new Map<string, number>();
  for (const name of new Set(missing.map((topic) => topic.name ?? ""))) {
    try {
      await broker.autoCreateTopic(name);
    } catch (error) {
      const { errorCode } = errorAnswer(error, `auto-creating topic "${name}"`, report);
      // Another client was faster: that is what was wanted.
      if (errorCode !== errorCodes.TOPIC_ALREADY_EXISTS) failures.set(name, errorCode);
    }
  }
  return failures;
}

function find(
  asked: Asked,
  { broker }: HandlerContext,
  allowed: number,
  failures: Failures,
): TopicAnswer {
  const { brokers, topics, topicsById } = broker.cluster();
  const byId = asked.topicId !== zeroUuid;
  const name = asked.name ?? "";
  const topic = byId ? topicsById.get(asked.topicId) : topics.get(name);
  if (topic) return topicAnswer(topic, brokers, allowed);
  const errorCode = byId
    ? errorCodes.UNKNOWN_TOPIC_ID
    : (failures.get(name) ?? unknownTopicCode(name));
  const base = { errorCode, name: asked.name, topicId: asked.topicId, partitions: [] };
  return { ...base, topicAuthorizedOperations: notRequested };
}

/** A name that no topic can have is told apart, so that clients give up on it instead of waiting. */
function unknownTopicCode(name: string): number {
  const legal = /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== "." && name !== "..";
  return legal ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION : errorCodes.INVALID_TOPIC_EXCEPTION;
}

function topicAnswer(
  topic: TopicRecord,
  brokers: ClusterState["brokers"],
  allowed: number,
): TopicAnswer {
  const isOffline = (id: number) => brokers.get(id)?.fenced ?? true;
  return {
    errorCode: errorCodes.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: internalTopics.has(topic.name),
    partitions: topic.partitions.map((partition) => ({
      errorCode: partition.leader < 0 ? errorCodes.LEADER_NOT_AVAILABLE : errorCodes.NONE,
      partitionIndex: partition.partition,
      leaderId: partition.leader,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      offlineReplicas: partition.replicas.filter(isOffline),
    })),
    topicAuthorizedOperations: allowed,
  };
}

function answer(request: Request, context: HandlerContext, topics: TopicAnswer[]): Response {
  const { broker } = context;
  const state = broker.cluster();
  return {
    brokers: liveBrokers(state, context),
    clusterId: state.clusterId,
    controllerId: controllerId(broker),
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? operations.cluster
      : notRequested,
  };
}

function liveBrokers(state: ClusterState, context: HandlerContext): Response["brokers"] {
  return Array.from(state.brokers.values())
    .filter((broker) => !broker.fenced)
    .map((record) => {
      const { host, port } = addressOf(record, context);
      return { nodeId: record.id, host, port, rack: record.rack };
    });
}

/** Who takes requests for the controller: any broker does, and while the controller is unknown or gone this one. */
function controllerId(broker: Broker): number {
  const state = broker.cluster();
  const isThere = state.brokers.get(state.controllerId)?.fenced === false;
  return isThere ? state.controllerId : broker.brokerId;
}
