// FindCoordinator (10): which broker coordinates a group. v1 adds key types (0 group, 1 transaction), v4 asks for
// many keys at once (KIP-699). The first question creates __consumer_offsets. A coordinator that is not there yet
// is COORDINATOR_NOT_AVAILABLE: clients ask again.
// librdkafka takes a broker without v0 for one too old for lz4, and then silently sends uncompressed batches.

import { BrokerError } from "../../errors.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import { addressOf } from "../leaders.ts";
import { array, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

export const findCoordinator = defineApi({
  key: 10,
  name: "FindCoordinator",
  versions: { min: 0, max: 6 },
  flexibleSince: 3,
  request: struct({
    key: string({ until: 3, default: "" }),
    keyType: int8({ since: 1, default: 0 }),
    coordinatorKeys: array(string(), { since: 4, default: [] }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1, default: 0 }),
    errorCode: int16({ until: 3, default: 0 }),
    errorMessage: string({ since: 1, until: 3, nullable: true, default: null }),
    nodeId: int32({ until: 3, default: -1 }),
    host: string({ until: 3, default: "" }),
    port: int32({ until: 3, default: -1 }),
    coordinators: array(
      struct({
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      }),
      { since: 4, default: [] },
    ),
  }),
});

const groupKey = 0;
const transactionKey = 1;
const batchedSince = 4;
const keysMax = 10_000;

export const handleFindCoordinator: Handler<typeof findCoordinator> = async (request, context) => {
  if (context.apiVersion < batchedSince) return find(request.key, request.keyType, context);
  const coordinators = [];
  for (const key of request.coordinatorKeys.slice(0, keysMax)) {
    coordinators.push({ key, ...(await find(key, request.keyType, context)) });
  }
  return { coordinators };
};

async function find(key: string, keyType: number, context: HandlerContext) {
  try {
    const id = await coordinatorOf(key, keyType, context);
    const record = context.broker.cluster().brokers.get(id);
    if (record === undefined || record.fenced) throw notAvailable("the coordinator is away");
    const { host, port } = addressOf(record, context);
    return { errorCode: errorCodes.NONE, errorMessage: null, nodeId: id, host, port };
  } catch (error) {
    return { ...itemError(error, context, "FindCoordinator"), nodeId: -1, host: "", port: -1 };
  }
}

async function coordinatorOf(
  key: string,
  keyType: number,
  { broker }: HandlerContext,
): Promise<number> {
  if (keyType === groupKey) return broker.groups.find(key);
  if (keyType === transactionKey) return broker.transactions.find(key);
  throw new BrokerError("INVALID_REQUEST", `key type ${keyType} is unknown`);
}

function notAvailable(message: string): BrokerError {
  return new BrokerError("COORDINATOR_NOT_AVAILABLE", message);
}
