// AlterPartitionReassignments (45): moves partitions to other brokers, or, with null replicas, ends a move that is
// under way (KIP-455). Answers when the move has begun; ListPartitionReassignments tells when it is over. v1 lets a
// client forbid that a move changes the number of replicas. All versions are flexible.

import type { PartitionRecord } from "../../../cluster/control-plane.ts";
import { BrokerError } from "../../errors.ts";
import { noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import { byTopic } from "../partition-places.ts";
import type { RequestOf, ResponseInput } from "../schema.ts";
import { array, boolean, defineApi, int16, int32, string, struct } from "../schema.ts";

export const alterPartitionReassignments = defineApi({
  key: 45,
  name: "AlterPartitionReassignments",
  versions: { min: 0, max: 1 },
  flexibleSince: 0,
  request: struct({
    timeoutMs: int32({ default: 60_000 }),
    allowReplicationFactorChange: boolean({ since: 1, default: true }),
    topics: array(
      struct({
        name: string(),
        partitions: array(
          struct({ partitionIndex: int32(), replicas: array(int32(), { nullable: true }) }),
        ),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32(),
    allowReplicationFactorChange: boolean({ since: 1, default: true }),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    responses: array(
      struct({
        name: string(),
        partitions: array(
          struct({
            partitionIndex: int32(),
            errorCode: int16(),
            errorMessage: string({ nullable: true }),
          }),
        ),
      }),
    ),
  }),
});

type Request = RequestOf<typeof alterPartitionReassignments>;
type Response = ResponseInput<typeof alterPartitionReassignments>;

interface Move {
  readonly topic: string;
  readonly partition: number;
  readonly replicas: readonly number[] | null;
}

interface Outcome {
  readonly topic: string;
  readonly partition: number;
  readonly error: unknown;
}

export const handleAlterPartitionReassignments: Handler<
  typeof alterPartitionReassignments
> = async (request, context) => {
  const moves = movesOf(request);
  const refused = moves.map((move) => refusal(move, request, context));
  const wanted = moves.filter((_, at) => refused[at] === null);
  try {
    const begun = wanted.length === 0 ? [] : await context.broker.care.reassign(wanted);
    const outcomes = inOrder(moves, refused, begun);
    return { ...base(request), ...noError, responses: responses(outcomes, context) };
  } catch (error) {
    const failure = itemError(error, context, "AlterPartitionReassignments");
    return { ...base(request), ...failure, responses: [] };
  }
};

function movesOf({ topics }: Request): Move[] {
  return topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, replicas }) => ({
      topic: name,
      partition: partitionIndex,
      replicas,
    })),
  );
}

/** What only this message knows to forbid. */
function refusal(
  { topic, partition, replicas }: Move,
  { allowReplicationFactorChange }: Request,
  { broker }: HandlerContext,
): BrokerError | null {
  const now = broker.cluster().topics.get(topic)?.partitions[partition];
  if (allowReplicationFactorChange || replicas === null || now === undefined) return null;
  const count = replicaCount(now);
  if (replicas.length === count) return null;
  return new BrokerError(
    "INVALID_REPLICATION_FACTOR",
    `The replication factor is changed from ${count} to ${replicas.length}`,
  );
}

/** When a move that is under way is done. */
function replicaCount({ replicas, removing }: PartitionRecord): number {
  return replicas.length - removing.length;
}

function inOrder(
  moves: readonly Move[],
  refused: readonly (BrokerError | null)[],
  begun: readonly Outcome[],
): Outcome[] {
  let next = 0;
  return moves.map(({ topic, partition }, at) => {
    const error = refused[at] ?? begun[next++]?.error ?? null;
    return { topic, partition, error };
  });
}

function responses(outcomes: readonly Outcome[], context: HandlerContext): Response["responses"] {
  return byTopic(outcomes).map(([name, partitions]) => ({
    name,
    partitions: partitions.map(({ partition, error }) => ({
      partitionIndex: partition,
      ...(error === null ? noError : itemError(error, context, "AlterPartitionReassignments")),
    })),
  }));
}

function base({ allowReplicationFactorChange }: Request) {
  return { throttleTimeMs: 0, allowReplicationFactorChange };
}
