// SaslAuthenticate (36): one token of the mechanism, and its answer. v1 says how long the session lasts (KIP-368).

import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { bytes, defineApi, int16, int64, string, struct } from "../schema.ts";

export const saslAuthenticate = defineApi({
  key: 36,
  name: "SaslAuthenticate",
  versions: { min: 0, max: 2 },
  flexibleSince: 2,
  request: struct({ authBytes: bytes() }),
  response: struct({
    errorCode: int16(),
    errorMessage: string({ nullable: true, default: null }),
    authBytes: bytes(),
    /** 0: without end. */
    sessionLifetimeMs: int64({ since: 1, default: 0 }),
  }),
});

export const handleSaslAuthenticate: Handler<typeof saslAuthenticate> = (
  { authBytes },
  { connection },
) =>
  connection.authentication?.authenticate(authBytes) ?? {
    errorCode: errorCodes.ILLEGAL_SASL_STATE,
    errorMessage: "This listener asks for no SASL authentication",
    authBytes: new Uint8Array(0),
  };
