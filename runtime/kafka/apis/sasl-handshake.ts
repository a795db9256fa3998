// SaslHandshake (17): which mechanism the authentication that follows is of. Asked by our client of brokers that want
// it; v1 means that the tokens go in SaslAuthenticate. https://kafka.apache.org/protocol#sasl_handshake

import { array, defineApi, int16, string, struct } from "../schema.ts";

export const saslHandshake = defineApi({
  key: 17,
  name: "SaslHandshake",
  versions: { min: 1, max: 1 },
  flexibleSince: 2,
  request: struct({ mechanism: string() }),
  response: struct({ errorCode: int16(), mechanisms: array(string()) }),
});
