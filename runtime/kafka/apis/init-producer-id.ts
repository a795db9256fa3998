// InitProducerId (22): gives an idempotent producer its id and epoch (KIP-98). Without a transactional id every
// call gets a fresh id; what the producer had before is of no matter. v2 is flexible, v3 lets a producer
// raise its epoch (KIP-360), v4 says PRODUCER_FENCED where older versions know only INVALID_PRODUCER_EPOCH.

import { BrokerError } from "../../errors.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import type { RequestOf } from "../schema.ts";
import { defineApi, int16, int32, int64, string, struct } from "../schema.ts";

export const initProducerId = defineApi({
  key: 22,
  name: "InitProducerId",
  versions: { min: 0, max: 5 },
  flexibleSince: 2,
  request: struct({
    transactionalId: string({ nullable: true }),
    transactionTimeoutMs: int32(),
    producerId: int64({ since: 3, default: -1 }),
    producerEpoch: int16({ since: 3, default: -1 }),
  }),
  response: struct({
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64(),
    producerEpoch: int16(),
  }),
});

const producerFencedSince = 4;

export const handleInitProducerId: Handler<typeof initProducerId> = async (request, context) => {
  try {
    assertConsistent(request);
    const given = await context.broker.initProducerId({
      transactionalId: request.transactionalId,
      transactionTimeoutMs: request.transactionTimeoutMs,
      producerId: request.producerId,
      producerEpoch: request.producerEpoch,
    });
    return { throttleTimeMs: 0, errorCode: 0, ...given };
  } catch (error) {
    const errorCode = codeFor(error, context);
    return { throttleTimeMs: 0, errorCode, producerId: -1, producerEpoch: -1 };
  }
};

/** An id without an epoch, or an epoch without an id, and an empty transactional id mean nothing. */
function assertConsistent({
  transactionalId,
  producerId,
  producerEpoch,
}: RequestOf<typeof initProducerId>): void {
  if (transactionalId === "") {
    throw new BrokerError("INVALID_REQUEST", "A transactional id may not be empty.");
  }
  if ((producerId === -1) !== (producerEpoch === -1)) {
    throw new BrokerError("INVALID_REQUEST", "Producer id and epoch must be given together.");
  }
}

function codeFor(error: unknown, context: HandlerContext): number {
  const fenced = error instanceof BrokerError && error.code === "PRODUCER_FENCED";
  if (fenced && context.apiVersion < producerFencedSince) {
    return errorCodes.INVALID_PRODUCER_EPOCH;
  }
  return itemError(error, context, "InitProducerId").errorCode;
}
