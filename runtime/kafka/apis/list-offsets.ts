// ListOffsets (2): the offset for a point in time, or for a special "timestamp": −1 latest, −2 earliest,
// −3 the record with the highest timestamp (v7), −4 earliest on this disk (v8), −5 latest in tiered storage (v9:
// there is none, so it is unknown). v2 adds isolation, v4 leader epochs, v10 a timeout. v0 is gone.

import type { ListedOffset, OffsetSpec } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import { errorAnswer, errorCodeOf } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { type Isolation, isolationOf } from "../isolation.ts";
import { array, defineApi, int8, int16, int32, int64, string, struct } from "../schema.ts";

export const listOffsets = defineApi({
  key: 2,
  name: "ListOffsets",
  versions: { min: 1, max: 10 },
  flexibleSince: 6,
  request: struct({
    replicaId: int32({ default: -1 }),
    isolationLevel: int8({ since: 2, default: 0 }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            currentLeaderEpoch: int32({ since: 4, default: -1 }),
            timestamp: int64(),
          }),
        ),
      }),
    ),
    timeoutMs: int32({ since: 10, default: 0 }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 2, default: 0 }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            timestamp: int64({ default: -1 }),
            offset: int64({ default: -1 }),
            leaderEpoch: int32({ since: 4, default: -1 }),
          }),
        ),
      }),
    ),
  }),
});

interface Asked {
  readonly partitionIndex: number;
  readonly currentLeaderEpoch: number;
  readonly timestamp: number;
}

const specials: ReadonlyMap<number, { spec: OffsetSpec | null; since: number }> = new Map([
  [-1, { spec: "latest", since: 1 }],
  [-2, { spec: "earliest", since: 1 }],
  [-3, { spec: "max-timestamp", since: 7 }],
  [-4, { spec: "earliest-local", since: 8 }],
  [-5, { spec: null, since: 9 }],
]);

const offsetNotAvailableSince = 5;
const unknownOffset: ListedOffset = { error: null, offset: -1, timestampMs: -1, leaderEpoch: -1 };

export const handleListOffsets: Handler<typeof listOffsets> = async (request, context) => {
  const isolation = isolationOf(request.isolationLevel);
  const topics = request.topics.map(async ({ name, partitions }) => {
    const seen = new Map<number, number>();
    for (const { partitionIndex } of partitions) {
      seen.set(partitionIndex, (seen.get(partitionIndex) ?? 0) + 1);
    }
    const answers = partitions.map((asked) =>
      answerOne(
        { name, asked, isolation, repeated: seen.get(asked.partitionIndex) !== 1 },
        context,
      ),
    );
    return { name, partitions: await Promise.all(answers) };
  });
  return { topics: await Promise.all(topics) };
};

interface Question {
  readonly name: string;
  readonly asked: Asked;
  readonly isolation: Isolation;
  /** Kafka refuses a partition that is named twice. */
  readonly repeated: boolean;
}

async function answerOne(question: Question, context: HandlerContext) {
  const { partitionIndex } = question.asked;
  const what = `ListOffsets of ${question.name}-${partitionIndex}`;
  try {
    const listed = known(await list(question, context), context.apiVersion);
    return {
      partitionIndex,
      errorCode: errorCodeOf(listed.error, what, context.report),
      timestamp: listed.timestampMs,
      offset: listed.offset,
      leaderEpoch: listed.leaderEpoch,
    };
  } catch (error) {
    return { partitionIndex, errorCode: errorAnswer(error, what, context.report).errorCode };
  }
}

/** Older clients have no word for an offset that is not known yet. */
function known(listed: ListedOffset, version: number): ListedOffset {
  const { error } = listed;
  if (error?.code !== "OFFSET_NOT_AVAILABLE" || version >= offsetNotAvailableSince) return listed;
  return { ...listed, error: new BrokerError("LEADER_NOT_AVAILABLE", error.message) };
}

async function list(question: Question, context: HandlerContext): Promise<ListedOffset> {
  const { name, asked, isolation, repeated } = question;
  if (repeated) throw new BrokerError("INVALID_REQUEST", "A partition may be named only once.");
  const spec = specOf(asked.timestamp, context.apiVersion);
  if (spec === null) return unknownOffset;
  const { partitionIndex: partition, currentLeaderEpoch } = asked;
  return context.broker.listOffsets({
    topic: name,
    partition,
    spec,
    currentLeaderEpoch,
    isolation,
  });
}

function specOf(timestamp: number, version: number): OffsetSpec | null {
  if (timestamp >= 0) return { timestampMs: timestamp };
  const special = specials.get(timestamp);
  if (special && version >= special.since) return special.spec;
  throw new BrokerError(
    "UNSUPPORTED_VERSION",
    `timestamp ${timestamp} means nothing in ListOffsets version ${version}`,
  );
}
