// SASL's vocabulary: what the Kafka door asks of whoever knows the users. Tokens in, tokens out; the frames around them
// and the rules of the connection are the door's (`kafka/authentication.ts`).

export type SaslMechanism = "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";

/** For one listener. */
export interface SaslServer {
  readonly mechanisms: readonly SaslMechanism[];
  readonly limits: SaslLimits;
  begin(mechanism: SaslMechanism): SaslExchange;
}

export interface SaslLimits {
  /** Largest request before the client is known (sasl.server.max.receive.size). */
  readonly requestBytesMax: number;
  /** Time to authenticate (timberline.authentication.timeout.ms). */
  readonly deadlineMs: number;
  /** How long a refusal waits (connection.failed.authentication.delay.ms). */
  readonly refusalDelayMs: number;
  /** How long a session lasts (connections.max.reauth.ms); 0: without end. */
  readonly sessionMs: number;
}

/** One authentication: tokens in turn, until a step names the user. */
export interface SaslExchange {
  /** Rejects with `SaslRefusal`; the exchange is over then. */
  respond(token: Uint8Array<ArrayBuffer>): Promise<SaslStep>;
}

export interface SaslStep {
  readonly token: Uint8Array;
  /** Absent while more tokens are due. */
  readonly username?: string;
}

/** The words are for the client: never which of name and password was wrong. */
export class SaslRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SaslRefusal";
  }
}
