// ListPartitionReassignments (46): the moves of partitions that are under way (KIP-455). Null topics mean all;
// partitions that are not moving are left out. One version, flexible.

import type { PartitionRecord, TopicRecord } from "../../../cluster/control-plane.ts";
import { noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import type { RequestOf } from "../schema.ts";
import { array, defineApi, int16, int32, string, struct } from "../schema.ts";

export const listPartitionReassignments = defineApi({
  key: 46,
  name: "ListPartitionReassignments",
  versions: { min: 0, max: 0 },
  flexibleSince: 0,
  request: struct({
    timeoutMs: int32({ default: 60_000 }),
    topics: array(struct({ name: string(), partitionIndexes: array(int32()) }), {
      nullable: true,
    }),
  }),
  response: struct({
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            replicas: array(int32()),
            addingReplicas: array(int32()),
            removingReplicas: array(int32()),
          }),
        ),
      }),
    ),
  }),
});

type Topics = RequestOf<typeof listPartitionReassignments>["topics"];

export const handleListPartitionReassignments: Handler<typeof listPartitionReassignments> = (
  request,
  context,
) => {
  const found = askedFor(request.topics, context);
  const topics = found
    .map(({ name, records }) => ({ name, partitions: records.filter(isMoving).map(moving) }))
    .filter(({ partitions }) => partitions.length > 0);
  return { throttleTimeMs: 0, ...noError, topics };
};

function askedFor(asked: Topics, { broker }: HandlerContext) {
  const known = broker.cluster().topics;
  if (asked === null) {
    return Array.from(known.values(), ({ name, partitions }) => ({ name, records: partitions }));
  }
  return asked.map(({ name, partitionIndexes }) => ({
    name,
    records: recordsOf(known.get(name), new Set(partitionIndexes)),
  }));
}

function recordsOf(topic: TopicRecord | undefined, numbers: ReadonlySet<number>) {
  return topic?.partitions.filter(({ partition }) => numbers.has(partition)) ?? [];
}

function isMoving({ adding, removing }: PartitionRecord): boolean {
  return adding.length > 0 || removing.length > 0;
}

function moving({ partition, replicas, adding, removing }: PartitionRecord) {
  return {
    partitionIndex: partition,
    replicas,
    addingReplicas: adding,
    removingReplicas: removing,
  };
}
