// UnregisterBroker (64): forgets a broker that is gone for good. It must be stopped, and have no replica any more.
// One version, flexible.

import { noError } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { itemError } from "../item-error.ts";
import { defineApi, int16, int32, string, struct } from "../schema.ts";

export const unregisterBroker = defineApi({
  key: 64,
  name: "UnregisterBroker",
  versions: { min: 0, max: 0 },
  flexibleSince: 0,
  request: struct({ brokerId: int32() }),
  response: struct({
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
  }),
});

export const handleUnregisterBroker: Handler<typeof unregisterBroker> = async (
  { brokerId },
  context,
) => {
  try {
    await context.broker.care.unregister(brokerId);
    return { throttleTimeMs: 0, ...noError };
  } catch (error) {
    return { throttleTimeMs: 0, ...itemError(error, context, "UnregisterBroker") };
  }
};
