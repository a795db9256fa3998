// SaslHandshake (17): which mechanism the authentication that follows is of. v1 means that the tokens go in
// SaslAuthenticate; v0, which sends them bare, is shown only because librdkafka takes a broker without it for one that
// has no SASL. Off SASL listeners it is an error, as in Kafka. https://kafka.apache.org/protocol#sasl_handshake

import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, defineApi, int16, string, struct } from "../schema.ts";

export const saslHandshake = defineApi({
  key: 17,
  name: "SaslHandshake",
  versions: { min: 1, max: 1 },
  advertisedMin: 0,
  flexibleSince: 2,
  request: struct({ mechanism: string() }),
  response: struct({ errorCode: int16(), mechanisms: array(string()) }),
});

export const handleSaslHandshake: Handler<typeof saslHandshake> = ({ mechanism }, { connection }) =>
  connection.authentication?.handshake(mechanism) ?? {
    errorCode: errorCodes.ILLEGAL_SASL_STATE,
    mechanisms: [],
  };
