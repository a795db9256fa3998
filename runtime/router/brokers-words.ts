// What the client library says went wrong, in the words of a broker's doors.

import { ClientError, type ClientErrorCode } from "../client/error.ts";
import { BrokerError, type ErrorName } from "../errors.ts";

/** What only brokers of other kinds say, and what it comes to here. */
const foreign: Partial<Record<ClientErrorCode, ErrorName>> = {
  CLOSED: "NETWORK_EXCEPTION",
  REPLICA_NOT_AVAILABLE: "LEADER_NOT_AVAILABLE",
  TOPIC_AUTHORIZATION_FAILED: "POLICY_VIOLATION",
  GROUP_AUTHORIZATION_FAILED: "POLICY_VIOLATION",
  CLUSTER_AUTHORIZATION_FAILED: "POLICY_VIOLATION",
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "POLICY_VIOLATION",
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: "POLICY_VIOLATION",
  SASL_AUTHENTICATION_FAILED: "BROKER_NOT_AVAILABLE",
  UNSUPPORTED_SASL_MECHANISM: "BROKER_NOT_AVAILABLE",
  ILLEGAL_SASL_STATE: "BROKER_NOT_AVAILABLE",
};

/** Throws what no broker said. */
export function inBrokersWords(error: unknown): BrokerError {
  if (error instanceof BrokerError) return error;
  if (!(error instanceof ClientError)) throw error;
  const code = foreign[error.code] ?? (error.code as ErrorName);
  return new BrokerError(code, error.message, { cause: error });
}
