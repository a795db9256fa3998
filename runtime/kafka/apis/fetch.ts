// Fetch (1): whole record batches from an offset on, with long poll and sessions. v4 adds isolation, v5 log
// start offsets, v7 sessions (KIP-227), v9 leader epochs (KIP-320), v10 zstd, v11 racks, v12 tagged fields,
// v13 topic ids, v15–18 fields of followers and KIP-951's endpoints. Record data is never decoded or copied
// here: answers carry `Records`, which the connection pumps from file or memory to the socket.

import type { FetchedPartition, FetchPartition } from "../../broker.ts";
import { errorCodeOf, errorCodes } from "../error-codes.ts";
import type { AskedPartition, FetchSessions, FetchTurn, News } from "../fetch-sessions.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { isolationOf } from "../isolation.ts";
import { currentLeader, leaderEndpoints } from "../leaders.ts";
import { defaultDoorLimits } from "../limits.ts";
import {
  array,
  defineApi,
  int8,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseInput,
  records,
  string,
  struct,
  uuid,
} from "../schema.ts";
import { zeroUuid } from "../uuid.ts";

export const fetch = defineApi({
  key: 1,
  name: "Fetch",
  versions: { min: 4, max: 18 },
  flexibleSince: 12,
  request: struct({
    clusterId: string({ since: 12, tag: 0, nullable: true, default: null }),
    replicaId: int32({ until: 14, default: -1 }),
    replicaState: struct(
      { replicaId: int32({ default: -1 }), replicaEpoch: int64({ default: -1 }) },
      { since: 15, tag: 1 },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32(),
    isolationLevel: int8({ default: 0 }),
    sessionId: int32({ since: 7, default: 0 }),
    sessionEpoch: int32({ since: 7, default: -1 }),
    topics: array(
      struct({
        topic: string({ until: 12, default: "" }),
        topicId: uuid({ since: 13, default: zeroUuid }),
        partitions: array(
          struct({
            partition: int32(),
            currentLeaderEpoch: int32({ since: 9, default: -1 }),
            fetchOffset: int64(),
            lastFetchedEpoch: int32({ since: 12, default: -1 }),
            logStartOffset: int64({ since: 5, default: -1 }),
            partitionMaxBytes: int32(),
            replicaDirectoryId: uuid({ since: 17, tag: 0, default: zeroUuid }),
            highWatermark: int64({ since: 18, tag: 1, default: 2 ** 63 }),
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(
      struct({
        topic: string({ until: 12, default: "" }),
        topicId: uuid({ since: 13, default: zeroUuid }),
        partitions: array(int32()),
      }),
      { since: 7, default: [] },
    ),
    rackId: string({ since: 11, default: "" }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ since: 7, default: 0 }),
    sessionId: int32({ since: 7, default: 0 }),
    responses: array(
      struct({
        topic: string({ until: 12, default: "" }),
        topicId: uuid({ since: 13, default: zeroUuid }),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            highWatermark: int64(),
            lastStableOffset: int64({ default: -1 }),
            logStartOffset: int64({ since: 5, default: -1 }),
            divergingEpoch: struct(
              { epoch: int32({ default: -1 }), endOffset: int64({ default: -1 }) },
              { since: 12, tag: 0 },
            ),
            currentLeader: struct(
              { leaderId: int32({ default: -1 }), leaderEpoch: int32({ default: -1 }) },
              { since: 12, tag: 1 },
            ),
            snapshotId: struct(
              { endOffset: int64({ default: -1 }), epoch: int32({ default: -1 }) },
              { since: 12, tag: 2 },
            ),
            abortedTransactions: array(struct({ producerId: int64(), firstOffset: int64() }), {
              nullable: true,
              default: null,
            }),
            preferredReadReplica: int32({ since: 11, default: -1 }),
            records: records(),
          }),
        ),
      }),
    ),
    nodeEndpoints: array(
      struct({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true, default: null }),
      }),
      { since: 16, tag: 0, default: [] },
    ),
  }),
});

type Request = RequestOf<typeof fetch>;
type Response = ResponseInput<typeof fetch>;
type TopicAnswer = Response["responses"][number];
type PartitionAnswer = TopicAnswer["partitions"][number];

const topicIdsSinceVersion = 13;
const racksSinceVersion = 11;
const zstdSinceVersion = 10;
const emptyRecords = new Uint8Array(0);
const noDivergence = {};

export function createFetchHandler(
  sessions: FetchSessions,
  fetchBytesMax = defaultDoorLimits.fetchBytesMax,
): Handler<typeof fetch> {
  return (request, context) => {
    const asked = askedPartitions(request);
    const replica = replicaOf(request);
    if (replica !== undefined) {
      const refused = refusalOf(replica, asked, context);
      if (refused !== undefined) return refused;
    }
    const { sessionId, sessionEpoch } = request;
    const byId = context.apiVersion >= topicIdsSinceVersion;
    const forgotten = forgottenPartitions(request);
    const turn = sessions.begin({ sessionId, sessionEpoch, byId, asked, forgotten });
    if (turn.errorCode !== errorCodes.NONE) return { errorCode: turn.errorCode, responses: [] };
    const places = turn.partitions.map((partition, i) =>
      place(partition, turn.highWatermarkKnown(i), context),
    );
    const partitions = places.filter((entry): entry is FetchPartition => typeof entry === "object");
    if (partitions.length === 0) return answer(turn, places, [], context);
    const fetched = context.broker.fetch({
      partitions,
      waitMsMax: Math.max(0, request.maxWaitMs),
      bytesMin: Math.min(request.minBytes, fetchBytesMax),
      bytesMax: Math.min(request.maxBytes, fetchBytesMax),
      isolation: isolationOf(request.isolationLevel),
      signal: context.connection.signal,
      ...(replica === undefined ? readerOf(request, context) : { replica }),
    });
    return fetched instanceof Promise
      ? fetched.then((found) => answer(turn, places, found, context))
      : answer(turn, places, fetched, context);
  };
}

// ---- the question ----

function askedPartitions({ topics }: Request): AskedPartition[] {
  const asked: AskedPartition[] = [];
  for (const { topic, topicId, partitions } of topics) {
    for (const each of partitions) {
      asked.push({
        topic,
        topicId,
        partition: each.partition,
        offset: each.fetchOffset,
        bytesMax: each.partitionMaxBytes,
        currentLeaderEpoch: each.currentLeaderEpoch,
        lastFetchedEpoch: each.lastFetchedEpoch,
        highWatermark: each.highWatermark,
      });
    }
  }
  return asked;
}

function forgottenPartitions({ forgottenTopicsData }: Request) {
  return forgottenTopicsData.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((partition) => ({ topic, topicId, partition })),
  );
}

/** What to ask the broker, or the error code when there is nothing to ask. */
function place(
  asked: AskedPartition,
  highWatermarkKnown: number,
  context: HandlerContext,
): FetchPartition | number {
  const { topics, topicsById } = context.broker.cluster();
  const topic = asked.topic ? topics.get(asked.topic) : topicsById.get(asked.topicId);
  if (!topic) {
    return asked.topic ? errorCodes.UNKNOWN_TOPIC_OR_PARTITION : errorCodes.UNKNOWN_TOPIC_ID;
  }
  const zstd = context.apiVersion < zstdSinceVersion && topic.configs.get("compression.type");
  if (zstd === "zstd") return errorCodes.UNSUPPORTED_COMPRESSION_TYPE;
  const { partition, offset, bytesMax, currentLeaderEpoch, lastFetchedEpoch } = asked;
  return {
    topic: topic.name,
    partition,
    offset,
    bytesMax,
    currentLeaderEpoch,
    lastFetchedEpoch,
    highWatermarkKnown,
  };
}

interface Replica {
  readonly id: number;
  readonly epoch: number;
}

function replicaOf({ replicaId, replicaState }: Request): Replica | undefined {
  if (replicaId >= 0) return { id: replicaId, epoch: -1 };
  if (replicaState.replicaId < 0) return undefined;
  return { id: replicaState.replicaId, epoch: replicaState.replicaEpoch };
}

/** Older consumers know of no replicas, and read from the leader only. */
function readerOf({ rackId }: Request, { apiVersion }: HandlerContext) {
  return apiVersion < racksSinceVersion ? {} : { rack: rackId };
}

/** Fetching as a replica moves the high watermark: only who is registered as this very incarnation may. */
function refusalOf(
  { id, epoch }: Replica,
  asked: readonly AskedPartition[],
  { broker }: HandlerContext,
): Response | undefined {
  const known = broker.cluster().brokers.get(id);
  if (id !== broker.brokerId && known?.epoch === epoch) return undefined;
  const mayBeLate = id !== broker.brokerId && known !== undefined && epoch >= 0;
  return mayBeLate ? { errorCode: errorCodes.STALE_BROKER_EPOCH, responses: [] } : refused(asked);
}

function refused(asked: readonly AskedPartition[]): Response {
  const errorCode = errorCodes.CLUSTER_AUTHORIZATION_FAILED;
  const answers = asked.map((partition) => ({
    asked: partition,
    answer: failed(partition, errorCode),
  }));
  return { responses: grouped(answers) };
}

// ---- the answer ----

interface Answered {
  readonly asked: AskedPartition;
  readonly answer: PartitionAnswer;
}

function answer(
  turn: FetchTurn,
  places: readonly (FetchPartition | number)[],
  fetched: readonly FetchedPartition[],
  context: HandlerContext,
): Response {
  let next = 0;
  const leaders = new Set<number>();
  const answers = turn.partitions.map((asked, i): PartitionAnswer => {
    const entry = places[i]!;
    if (typeof entry === "number") return failed(asked, entry);
    return partitionAnswer(asked, fetched[next++]!, context, leaders);
  });
  const { sessionId, included } = turn.finish(answers.map(newsOf));
  const told: Answered[] = [];
  for (const [i, partition] of answers.entries()) {
    if (included(i)) told.push({ asked: turn.partitions[i]!, answer: partition });
  }
  return { sessionId, responses: grouped(told), nodeEndpoints: leaderEndpoints(context, leaders) };
}

function partitionAnswer(
  asked: AskedPartition,
  found: FetchedPartition,
  context: HandlerContext,
  leaders: Set<number>,
): PartitionAnswer {
  const { records: data } = found;
  if (data.length === 0) data.release();
  const answer = {
    partitionIndex: asked.partition,
    errorCode: errorCodeOf(
      found.error,
      `Fetch of ${found.topic}-${found.partition}`,
      context.report,
    ),
    highWatermark: found.highWatermark,
    lastStableOffset: found.lastStableOffset,
    logStartOffset: found.logStartOffset,
    abortedTransactions: found.abortedTransactions.length > 0 ? found.abortedTransactions : null,
    divergingEpoch: found.diverging ?? noDivergence,
    preferredReadReplica: found.preferredReadReplica ?? -1,
    records: data.length === 0 ? emptyRecords : data,
  };
  if (answer.errorCode !== errorCodes.NOT_LEADER_OR_FOLLOWER) return answer;
  const leader = currentLeader(context, { name: found.topic }, asked.partition);
  leaders.add(leader.leaderId);
  return { ...answer, currentLeader: leader };
}

function failed({ partition }: AskedPartition, errorCode: number): PartitionAnswer {
  return {
    partitionIndex: partition,
    errorCode,
    highWatermark: -1,
    divergingEpoch: noDivergence,
    preferredReadReplica: -1,
    records: emptyRecords,
  };
}

function newsOf(answer: PartitionAnswer): News {
  const { errorCode, highWatermark, logStartOffset = -1, divergingEpoch } = answer;
  const recordsBytes = answer.records?.length ?? 0;
  const mustBeTold = divergingEpoch !== noDivergence || answer.preferredReadReplica !== -1;
  return { errorCode, highWatermark, logStartOffset, recordsBytes, mustBeTold };
}

/** Neighbours of one topic share an entry; the order of partitions is kept. */
function grouped(answers: readonly Answered[]): TopicAnswer[] {
  const topics: { topic: string; topicId: string; partitions: PartitionAnswer[] }[] = [];
  for (const { asked, answer: partition } of answers) {
    const last = topics.at(-1);
    const same = last && last.topic === asked.topic && last.topicId === asked.topicId;
    if (same) last.partitions.push(partition);
    else topics.push({ topic: asked.topic, topicId: asked.topicId, partitions: [partition] });
  }
  return topics;
}
