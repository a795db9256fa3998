// Authentication of one connection, right after versions are agreed: SASL PLAIN or SCRAM. The password leaves only by
// PLAIN, which therefore wants TLS; SCRAM proves it.

import { saslAuthenticate } from "../kafka/apis/sasl-authenticate.ts";
import { saslHandshake } from "../kafka/apis/sasl-handshake.ts";
import { errorCodes } from "../kafka/error-codes.ts";
import type { Random } from "../platform.ts";
import type { SaslOptions } from "./api.ts";
import type { BrokerConnection } from "./broker-connection.ts";
import { ClientError, errorFromCode } from "./error.ts";
import { ScramExchange } from "./scram.ts";

const mechanismNames = {
  plain: "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
} as const;

/** Resolves to how long the session lasts, ms; 0: without end. Rejects with SASL_AUTHENTICATION_FAILED and its kin. */
export async function authenticate(
  connection: Pick<BrokerConnection, "call">,
  sasl: SaslOptions,
  { random, where }: { readonly random: Random; readonly where: string },
): Promise<number> {
  const mechanism = mechanismNames[sasl.mechanism];
  const offered = await connection.call(saslHandshake, { mechanism });
  if (offered.errorCode === errorCodes.UNSUPPORTED_SASL_MECHANISM) {
    const what = `${where}: the broker takes ${offered.mechanisms.join(", ")}, not ${mechanism}.`;
    throw new ClientError("UNSUPPORTED_SASL_MECHANISM", what);
  }
  const refused = errorFromCode(offered.errorCode, `${where}: beginning SASL`);
  if (refused !== null) throw refused;
  const tell = async (text: string) => {
    const authBytes = new TextEncoder().encode(text);
    const answer = await connection.call(saslAuthenticate, { authBytes });
    const why = `${where} as ${sasl.username}`;
    const error = errorFromCode(answer.errorCode, why, answer.errorMessage);
    if (error !== null) throw error;
    return {
      text: new TextDecoder().decode(answer.authBytes),
      lifetimeMs: answer.sessionLifetimeMs,
    };
  };
  if (sasl.mechanism === "plain") {
    return (await tell(`\0${sasl.username}\0${sasl.password}`)).lifetimeMs;
  }
  const hash = sasl.mechanism === "scram-sha-256" ? "SHA-256" : "SHA-512";
  const exchange = new ScramExchange({ hash, random, ...sasl });
  try {
    const first = await tell(exchange.first());
    const final = await tell(await exchange.final(first.text));
    exchange.verify(final.text);
    return final.lifetimeMs;
  } catch (error) {
    if (error instanceof ClientError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ClientError("SASL_AUTHENTICATION_FAILED", `${where}: ${why}.`, { cause: error });
  }
}
