// ElectLeaders (43): makes preferred replicas leaders again, or any live replica where no other can lead. v0 knows
// the preferred ones only; v1 adds the kind and an error for the whole answer (KIP-460), v2 is flexible. Null
// partitions mean all: then only those that needed it are answered.

import type { PartitionPlace } from "../../../cluster/control-plane.ts";
import { BrokerError } from "../../errors.ts";
import { errorCodes, noError } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { itemError } from "../item-error.ts";
import { byTopic, placesOf } from "../partition-places.ts";
import type { ResponseInput } from "../schema.ts";
import { array, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

export const electLeaders = defineApi({
  key: 43,
  name: "ElectLeaders",
  versions: { min: 0, max: 2 },
  flexibleSince: 2,
  request: struct({
    electionType: int8({ since: 1, default: 0 }),
    topicPartitions: array(struct({ topic: string(), partitions: array(int32()) }), {
      nullable: true,
    }),
    timeoutMs: int32({ default: 60_000 }),
  }),
  response: struct({
    throttleTimeMs: int32(),
    errorCode: int16({ since: 1, default: 0 }),
    replicaElectionResults: array(
      struct({
        topic: string(),
        partitionResult: array(
          struct({
            partitionId: int32(),
            errorCode: int16(),
            errorMessage: string({ nullable: true }),
          }),
        ),
      }),
    ),
  }),
});

type Response = ResponseInput<typeof electLeaders>;
type Result = Response["replicaElectionResults"][number]["partitionResult"][number];

const kinds = ["preferred", "unclean"] as const;

export const handleElectLeaders: Handler<typeof electLeaders> = async (request, context) => {
  const asked = request.topicPartitions && placesOf(request.topicPartitions);
  const failed = (error: unknown): Response => {
    const failure = itemError(error, context, "ElectLeaders");
    return answer(failure.errorCode, asked ?? [], () => failure);
  };
  const kind = kinds[request.electionType];
  if (kind === undefined) return failed(unknownKind(request.electionType));
  try {
    const outcomes = await context.broker.care.electLeaders({ kind, partitions: asked });
    return answer(errorCodes.NONE, outcomes, ({ error }) =>
      error === null ? noError : itemError(error, context, "ElectLeaders"),
    );
  } catch (error) {
    return failed(error);
  }
};

function unknownKind(electionType: number): BrokerError {
  return new BrokerError("INVALID_REQUEST", `Unknown election type ${electionType}`);
}

function answer<P extends PartitionPlace>(
  errorCode: number,
  places: readonly P[],
  resultOf: (place: P) => Omit<Result, "partitionId">,
): Response {
  const replicaElectionResults = byTopic(places).map(([topic, partitions]) => ({
    topic,
    partitionResult: partitions.map((place) => ({
      partitionId: place.partition,
      ...resultOf(place),
    })),
  }));
  return { throttleTimeMs: 0, errorCode, replicaElectionResults };
}
