// CreatePartitions (37): grows topics to a total count, with replicas chosen by the broker or given per new
// partition. Each topic on its own; a name that occurs twice is answered once, INVALID_REQUEST.
// v2 is flexible, v3 may answer THROTTLING_QUOTA_EXCEEDED.

import { BrokerError } from "../../errors.ts";
import { noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { duplicates, itemError, refusal } from "../item-error.ts";
import { checkAssignments, type Replicas } from "../replica-assignments.ts";
import type { RequestOf, ResponseInput } from "../schema.ts";
import { array, boolean, defineApi, int16, int32, string, struct } from "../schema.ts";

export const createPartitions = defineApi({
  key: 37,
  name: "CreatePartitions",
  versions: { min: 0, max: 3 },
  flexibleSince: 2,
  request: struct({
    topics: array(
      struct({
        name: string(),
        count: int32(),
        assignments: array(struct({ brokerIds: array(int32()) }), { nullable: true }),
      }),
    ),
    timeoutMs: int32(),
    validateOnly: boolean(),
  }),
  response: struct({
    throttleTimeMs: int32(),
    results: array(
      struct({
        name: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      }),
    ),
  }),
});

type Topic = RequestOf<typeof createPartitions>["topics"][number];
type TopicResult = ResponseInput<typeof createPartitions>["results"][number];

export const handleCreatePartitions: Handler<typeof createPartitions> = async (
  request,
  context,
) => {
  const twice = duplicates(request.topics.map((topic) => topic.name));
  const results = new Map<string, TopicResult>();
  for (const topic of request.topics) {
    const { name } = topic;
    if (results.has(name)) continue;
    const result = twice.has(name)
      ? refusal("INVALID_REQUEST", "Duplicate topic name.")
      : await grow(topic, request.validateOnly, context);
    results.set(name, { name, ...result });
  }
  return { throttleTimeMs: 0, results: [...results.values()] };
};

async function grow(topic: Topic, validateOnly: boolean, context: HandlerContext) {
  const { name, count, assignments } = topic;
  try {
    const known = context.broker.cluster().topics.get(name);
    if (!known)
      throw new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", `The topic '${name}' does not exist.`);
    assertGrows({ name, from: known.partitions.length, to: count });
    const replicas = assignments?.map((assignment) => assignment.brokerIds);
    if (replicas) assertAssigned(replicas, count - known.partitions.length);
    const replicationFactor = known.partitions[0]?.replicas.length;
    if (replicas) checkAssignments(replicas, { broker: context.broker, replicationFactor });
    await context.broker.createPartitions({
      name,
      partitions: count,
      validateOnly,
      ...(replicas && { assignments: replicas }),
    });
    return noError;
  } catch (error) {
    return itemError(error, context, "CreatePartitions");
  }
}

function assertGrows({ name, from, to }: { name: string; from: number; to: number }): void {
  if (to > from) return;
  const message =
    to === from
      ? `Topic already has ${from} partition(s).`
      : `The topic ${name} currently has ${from} partition(s); ${to} would not be an increase.`;
  throw new BrokerError("INVALID_PARTITIONS", message);
}

function assertAssigned(assignments: readonly Replicas[], added: number): void {
  if (assignments.length === added) return;
  throw new BrokerError(
    "INVALID_REPLICA_ASSIGNMENT",
    `Attempted to add ${added} additional partition(s), ` +
      `but only ${assignments.length} assignment(s) were specified.`,
  );
}
