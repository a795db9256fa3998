// FindCoordinator (10): which broker coordinates a group or a transactional id. One broker coordinates all of
// them. v1 adds the kind of key and messages, v3 is flexible, v4 asks for many keys at once (KIP-699); v5 and v6
// look alike and only know more errors and share groups (KIP-932), which nobody here coordinates.
// librdkafka takes a broker without v0 for one too old for lz4, and then silently sends uncompressed batches.

import { errorCodes } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { array, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

const manySince = 4;

export const findCoordinator = defineApi({
  key: 10,
  name: "FindCoordinator",
  versions: { min: 0, max: 6 },
  flexibleSince: 3,
  request: struct({
    key: string({ until: manySince - 1, default: "" }),
    keyType: int8({ since: 1, default: 0 }),
    coordinatorKeys: array(string(), { since: manySince }),
  }),
  response: struct({
    throttleTimeMs: int32({ since: 1 }),
    errorCode: int16({ until: manySince - 1 }),
    errorMessage: string({ since: 1, until: manySince - 1, nullable: true, default: null }),
    nodeId: int32({ until: manySince - 1 }),
    host: string({ until: manySince - 1 }),
    port: int32({ until: manySince - 1 }),
    coordinators: array(
      struct({
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
      }),
      { since: manySince },
    ),
  }),
});

const keyTypes = { group: 0, transaction: 1 } as const;

export const handleFindCoordinator: Handler<typeof findCoordinator> = (request, context) => {
  const found = coordinatorOf(request.keyType, context);
  const coordinators = request.coordinatorKeys.map((key) => ({ key, ...found }));
  return { throttleTimeMs: 0, ...found, coordinators };
};

function coordinatorOf(keyType: number, { broker }: HandlerContext) {
  if (keyType !== keyTypes.group && keyType !== keyTypes.transaction) {
    const errorMessage = `no coordinator for keys of type ${keyType}`;
    const errorCode = errorCodes.INVALID_REQUEST;
    return { errorCode, errorMessage, nodeId: -1, host: "", port: -1 };
  }
  const { id, host, port } = broker.self();
  return { errorCode: 0, errorMessage: null, nodeId: id, host, port };
}
