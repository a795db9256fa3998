// WriteTxnMarkers (27): ends transactions in single partitions, past the coordinator. Brokers use it among
// themselves, operators to abort what hangs (KIP-664). One version, flexible.

import { errorCodeOf, errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import type { RequestOf } from "../schema.ts";
import { array, boolean, defineApi, int16, int32, int64, string, struct } from "../schema.ts";

export const writeTxnMarkers = defineApi({
  key: 27,
  name: "WriteTxnMarkers",
  versions: { min: 1, max: 1 },
  flexibleSince: 1,
  request: struct({
    markers: array(
      struct({
        producerId: int64(),
        producerEpoch: int16(),
        transactionResult: boolean(),
        topics: array(struct({ name: string(), partitionIndexes: array(int32()) })),
        coordinatorEpoch: int32(),
      }),
    ),
  }),
  response: struct({
    markers: array(
      struct({
        producerId: int64(),
        topics: array(
          struct({
            name: string(),
            partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
          }),
        ),
      }),
    ),
  }),
});

type Marker = RequestOf<typeof writeTxnMarkers>["markers"][number];

export const handleWriteTxnMarkers: Handler<typeof writeTxnMarkers> = async (request, context) => ({
  markers: await Promise.all(
    request.markers.map(async (marker) => ({
      producerId: marker.producerId,
      topics: await Promise.all(
        marker.topics.map(async ({ name, partitionIndexes }) => ({
          name,
          partitions: await Promise.all(
            partitionIndexes.map(async (partitionIndex) => ({
              partitionIndex,
              errorCode: await write(marker, { topic: name, partition: partitionIndex }, context),
            })),
          ),
        })),
      ),
    })),
  ),
});

async function write(
  marker: Marker,
  place: { topic: string; partition: number },
  context: HandlerContext,
): Promise<number> {
  try {
    const { producerId, producerEpoch, coordinatorEpoch, transactionResult } = marker;
    const isCommit = transactionResult;
    await context.broker.transactions.writeMarker(place, {
      producerId,
      producerEpoch,
      coordinatorEpoch,
      isCommit,
    });
    return errorCodes.NONE;
  } catch (error) {
    return errorCodeOf(error, "WriteTxnMarkers", context.report);
  }
}
