// DescribeCluster (60): the cluster's id, controller and brokers, without topics (KIP-700). v1 adds the endpoint
// type (KIP-919): this door speaks for brokers, so a question for controllers is refused. v2 can list fenced
// brokers too, which are left out otherwise (KIP-1073). All versions are flexible.

import { notRequested, operations } from "../authorized-operations.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { addressOf } from "../leaders.ts";
import { array, boolean, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

export const describeCluster = defineApi({
  key: 60,
  name: "DescribeCluster",
  versions: { min: 0, max: 2 },
  flexibleSince: 0,
  request: struct({
    includeClusterAuthorizedOperations: boolean(),
    endpointType: int8({ since: 1, default: 1 }),
    includeFencedBrokers: boolean({ since: 2, default: false }),
  }),
  response: struct({
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    endpointType: int8({ since: 1, default: 1 }),
    clusterId: string(),
    controllerId: int32(),
    brokers: array(
      struct({
        brokerId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: true }),
        isFenced: boolean({ since: 2 }),
      }),
    ),
    clusterAuthorizedOperations: int32({ default: notRequested }),
  }),
});

const endpointTypes = { brokers: 1, controllers: 2 } as const;

export const handleDescribeCluster: Handler<typeof describeCluster> = (request, context) => {
  if (request.endpointType !== endpointTypes.brokers) return wrongEndpoint(request.endpointType);
  const { clusterId, controllerId, brokers } = context.broker.cluster();
  const shown = [...brokers.values()].filter(
    (record) => request.includeFencedBrokers || !record.fenced,
  );
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    clusterId,
    controllerId,
    brokers: shown.map((record) => ({
      brokerId: record.id,
      host: addressOf(record, context).host,
      port: addressOf(record, context).port,
      rack: record.rack,
      isFenced: record.fenced,
    })),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? operations.cluster
      : notRequested,
  };
};

function wrongEndpoint(endpointType: number) {
  const isController = endpointType === endpointTypes.controllers;
  return {
    throttleTimeMs: 0,
    errorCode: isController
      ? errorCodes.MISMATCHED_ENDPOINT_TYPE
      : errorCodes.UNSUPPORTED_ENDPOINT_TYPE,
    errorMessage: isController
      ? "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
      : `Unsupported endpoint type ${endpointType}`,
    clusterId: "",
    controllerId: -1,
    brokers: [],
  };
}
