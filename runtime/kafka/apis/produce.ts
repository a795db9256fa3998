// Produce (0): appends one record batch per partition. v0–2 are advertised, because librdkafka 2.0 turns its
// codecs off otherwise, and refused by closing the connection, as Kafka ≥ 4 does. v7 allows zstd, v8 adds error
// messages, v10 tells the new leader (KIP-951), v13 names topics by id. acks=0 has no answer: an error closes
// the connection instead, so that the producer notices.
//
// The batches are views of the frame: all appends are started before the handler returns.

import type { Appended, AppendRequest } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import { errorAnswer, errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { currentLeader, leaderEndpoints } from "../leaders.ts";
import {
  array,
  defineApi,
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
import { withoutAbortable } from "../transaction-errors.ts";
import { zeroUuid } from "../uuid.ts";

export const produce = defineApi({
  key: 0,
  name: "Produce",
  versions: { min: 3, max: 13 },
  flexibleSince: 9,
  advertisedMin: 0,
  request: struct({
    transactionalId: string({ nullable: true, default: null }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array(
      struct({
        name: string({ until: 12, default: "" }),
        topicId: uuid({ since: 13, default: zeroUuid }),
        partitionData: array(
          struct({
            index: int32(),
            records: records(),
            // Ours, between brokers: only if the log ends there. Kafka's clients never send it.
            expectedOffset: int64({ since: 9, tag: 10_000, default: -1 }),
            // The same: only while this is the partition's fence.
            fence: int32({ since: 9, tag: 10_001, default: -1 }),
          }),
        ),
      }),
    ),
  }),
  response: struct({
    responses: array(
      struct({
        name: string({ until: 12, default: "" }),
        topicId: uuid({ since: 13, default: zeroUuid }),
        partitionResponses: array(
          struct({
            index: int32(),
            errorCode: int16(),
            baseOffset: int64(),
            logAppendTimeMs: int64({ since: 2, default: -1 }),
            logStartOffset: int64({ since: 5, default: -1 }),
            recordErrors: array(
              struct({
                batchIndex: int32(),
                batchIndexErrorMessage: string({ nullable: true, default: null }),
              }),
              { since: 8, default: [] },
            ),
            errorMessage: string({ since: 8, nullable: true, default: null }),
            currentLeader: struct(
              { leaderId: int32({ default: -1 }), leaderEpoch: int32({ default: -1 }) },
              { since: 10, tag: 0 },
            ),
          }),
        ),
      }),
    ),
    throttleTimeMs: int32({ default: 0 }),
    nodeEndpoints: array(
      struct({
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true, default: null }),
      }),
      { since: 10, tag: 0, default: [] },
    ),
  }),
});

type Request = RequestOf<typeof produce>;
type TopicData = Request["topicData"][number];
type Response = ResponseInput<typeof produce>;
type TopicAnswer = Response["responses"][number];
type PartitionAnswer = TopicAnswer["partitionResponses"][number];
type Acks = -1 | 0 | 1;

/** What every append of one request shares. */
interface Terms {
  readonly acks: Acks;
  readonly timeoutMs: number;
  /** Transaction protocol V2: the client does not announce its partitions. */
  readonly joinsTransaction: boolean;
  readonly transactionalId: string | undefined;
  readonly context: HandlerContext;
}

/** A batch by its place as well: the view goes stale when the core's memory grows under an earlier append. */
interface PlacedBatch {
  readonly view: Uint8Array | null;
  readonly at: number;
  readonly length: number;
}

const batchHeaderBytes = 61;
const lengthOffset = 8;
const lengthCountsFrom = 12;
const magicOffset = 16;
const attributesLowByteOffset = 22;
const zstd = 4;
const zstdSinceVersion = 7;
const abortableSince = 11;
const transactionsV2Since = 12;

export const handleProduce: Handler<typeof produce> = (request, context) => {
  const { acks } = request;
  if (acks !== -1 && acks !== 0 && acks !== 1) return refuseAll(request, acks);
  const { timeoutMs, transactionalId } = request;
  const joinsTransaction = transactionalId !== null && context.apiVersion >= transactionsV2Since;
  const id = transactionalId ?? undefined;
  const terms: Terms = { acks, timeoutMs, joinsTransaction, transactionalId: id, context };
  const pending = appendAll(request, terms);
  const waits = pending.some((topic) => topic.some((answer) => answer instanceof Promise));
  if (!waits) return answer(request, pending as PartitionAnswer[][], terms);
  return Promise.all(
    pending.map((topic) => (topic.length === 1 ? first(topic) : Promise.all(topic))),
  ).then((answers) => answer(request, answers, terms));
};

type Pending = PartitionAnswer | Promise<PartitionAnswer>;

async function first(topic: readonly Pending[]): Promise<PartitionAnswer[]> {
  return [await topic[0]!];
}

function appendAll(request: Request, terms: Terms): Pending[][] {
  const { topicData } = request;
  const placed = topicData.map((topic) => topic.partitionData.map(({ records }) => place(records)));
  return topicData.map((topic, t) => {
    const name = topicName(topic, terms.context);
    return topic.partitionData.map(({ index, expectedOffset, fence }, p) =>
      name === undefined
        ? failure(index, unknownTopicId(), terms)
        : appendOne(
            { topic: name, partition: index, expectedOffset, fence },
            placed[t]![p]!,
            terms,
          ),
    );
  });
}

function unknownTopicId(): BrokerError {
  return new BrokerError("UNKNOWN_TOPIC_ID", "No topic has this id.");
}

function topicName(topic: TopicData, { apiVersion, broker }: HandlerContext): string | undefined {
  if (apiVersion < 13) return topic.name;
  return broker.cluster().topicsById.get(topic.topicId)?.name;
}

function place(view: Uint8Array | null): PlacedBatch {
  return { view, at: view?.byteOffset ?? 0, length: view?.byteLength ?? 0 };
}

/** Only the core's memory can move, so a view that has lost its length was a view of it. */
function current({ view, at, length }: PlacedBatch, { platform }: HandlerContext): Uint8Array {
  if (view === null) return new Uint8Array(0);
  return view.byteLength === length ? view : platform.core.bytes(at, length);
}

type Place = Required<Pick<AppendRequest, "topic" | "partition" | "expectedOffset" | "fence">>;

function appendOne(place: Place, placed: PlacedBatch, terms: Terms): Pending {
  const { context, ...options } = terms;
  const { topic, partition: index } = place;
  const expectedOffset = place.expectedOffset === -1 ? undefined : place.expectedOffset;
  const fence = place.fence === -1 ? undefined : place.fence;
  try {
    const batch = current(placed, context);
    checkBatch(batch, context.apiVersion);
    const at = { topic, partition: index, expectedOffset, fence };
    const appended = context.broker.append({ ...at, batch, ...options });
    if (!(appended instanceof Promise)) return success(index, appended);
    return appended.then(
      (value) => success(index, value),
      (error) => failure(index, error, terms),
    );
  } catch (error) {
    return failure(index, error, terms);
  }
}

/** What Kafka checks of the request before the log sees it. */
function checkBatch(batch: Uint8Array, version: number): void {
  if (batch.length < batchHeaderBytes) {
    throw new BrokerError(
      "INVALID_RECORD",
      "A produce request needs one record batch a partition.",
    );
  }
  const at = lengthOffset;
  const length =
    (batch[at]! << 24) | (batch[at + 1]! << 16) | (batch[at + 2]! << 8) | batch[at + 3]!;
  if (batch[magicOffset] !== 2) {
    throw new BrokerError("INVALID_RECORD", "Only record batches of magic 2 are accepted.");
  }
  if (length + lengthCountsFrom < batch.length) {
    throw new BrokerError("INVALID_RECORD", "Exactly one record batch a partition is accepted.");
  }
  if (version < zstdSinceVersion && (batch[attributesLowByteOffset]! & 7) === zstd) {
    throw new BrokerError("UNSUPPORTED_COMPRESSION_TYPE", "zstd needs Produce version 7 or newer.");
  }
}

function success(index: number, appended: Appended): PartitionAnswer {
  return {
    index,
    errorCode: errorCodes.NONE,
    baseOffset: appended.baseOffset,
    logAppendTimeMs: appended.logAppendTimeMs,
    logStartOffset: appended.logStartOffset,
  };
}

function failure(index: number, error: unknown, { context }: Terms): PartitionAnswer {
  const told = context.apiVersion < abortableSince ? withoutAbortable(error) : error;
  const what = errorAnswer(told, `Produce from ${context.clientId}`, context.report);
  return { index, baseOffset: -1, ...what };
}

function refuseAll(request: Request, acks: number): Response {
  const errorCode = errorCodes.INVALID_REQUIRED_ACKS;
  const errorMessage = `acks=${acks} is not one of -1, 0 and 1.`;
  return {
    responses: request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitionResponses: partitionData.map(({ index }) => ({
        index,
        errorCode,
        errorMessage,
        baseOffset: -1,
      })),
    })),
  };
}

function answer(request: Request, answers: PartitionAnswer[][], terms: Terms): Response | null {
  const { context, acks } = terms;
  const failed = answers.some((topic) => topic.some(({ errorCode }) => errorCode !== 0));
  if (acks === 0) {
    if (failed) context.connection.close("a Produce request with acks=0 failed");
    return null;
  }
  const responses = request.topicData.map(({ name, topicId }, t) => ({
    name,
    topicId,
    partitionResponses: answers[t]!,
  }));
  return failed ? withLeaders(responses, context) : { responses };
}

/** A producer that asked the wrong broker learns the right one without another Metadata request. */
function withLeaders(topics: TopicAnswer[], context: HandlerContext): Response {
  const leaders = new Set<number>();
  const responses = topics.map((topic) => ({
    ...topic,
    partitionResponses: topic.partitionResponses.map((partition) => {
      if (partition.errorCode !== errorCodes.NOT_LEADER_OR_FOLLOWER) return partition;
      const leader = currentLeader(context, topic, partition.index);
      leaders.add(leader.leaderId);
      return { ...partition, currentLeader: leader };
    }),
  }));
  return { responses, nodeEndpoints: leaderEndpoints(context, leaders) };
}
