// Errors as Confluent's clients know them: `{"error_code", "message"}`, where a code is a status, or a status and two
// digits more. One mapping from what the broker throws; routes of this folder throw and never answer errors themselves.

import { BrokerError, type ErrorName } from "../../errors.ts";
import { errorAnswer, HttpError } from "../error.ts";
import { type ApiVersion, restJson } from "./answer.ts";

/** What this API has a number for. */
export const errorCodes = {
  topicNotFound: 40401,
  partitionNotFound: 40402,
  instanceNotFound: 40403,
  formatMismatch: 40601,
  instanceExists: 40902,
  illegalState: 40903,
  invalidConsumerConfig: 42204,
  kafka: 50002,
  kafkaRetriable: 50003,
} as const;

/** Of v3, whose numbers differ. */
const codesV3 = { badRequest: 40002, topicNotFound: 40403 } as const;

export class RestError extends HttpError {
  readonly errorCode: number;
  constructor(status: number, message: string, errorCode = status) {
    super("INVALID_REQUEST", message, { status });
    this.name = "RestError";
    this.errorCode = errorCode;
  }
}

/** The body is JSON and says something that cannot be. */
export function unprocessable(message: string, errorCode?: number): RestError {
  return new RestError(422, message, errorCode);
}

export function illegalState(message: string): RestError {
  return new RestError(409, `Illegal state: ${message}`, errorCodes.illegalState);
}

export function noTopic(topic: string): RestError {
  return new RestError(404, `Topic not found: ${topic}`, errorCodes.topicNotFound);
}

export function noPartition(topic: string, partition: number | string): RestError {
  const message = `Partition not found: ${partition} of ${topic}`;
  return new RestError(404, message, errorCodes.partitionNotFound);
}

/** Whether the same request may succeed later. */
export function isRetriable(thrown: unknown): boolean {
  const status = errorAnswer(thrown).status;
  return thrown instanceof BrokerError && (status === 503 || status === 504 || status === 502);
}

export function hasCode(thrown: unknown, ...codes: readonly ErrorName[]): thrown is BrokerError {
  return thrown instanceof BrokerError && codes.includes(thrown.code);
}

export interface RestFailure {
  readonly status: number;
  readonly error_code: number;
  readonly message: string;
}

export function failureOf(thrown: unknown, version: ApiVersion): RestFailure {
  const { status: found, body } = errorAnswer(thrown);
  const { message } = body.error;
  // What is there already is a bad request to clients of v3.
  const status = version === "v3" && hasCode(thrown, "TOPIC_ALREADY_EXISTS") ? 400 : found;
  return { status, error_code: codeOf(thrown, status, version), message };
}

export function errorResponse(thrown: unknown, version: ApiVersion): Response {
  const { status, error_code, message } = failureOf(thrown, version);
  const response = restJson({ error_code, message }, { status, version });
  for (const [name, value] of Object.entries(errorAnswer(thrown).headers)) {
    response.headers.set(name, value);
  }
  return response;
}

function codeOf(thrown: unknown, status: number, version: ApiVersion): number {
  if (thrown instanceof RestError) return thrown.errorCode;
  if (hasCode(thrown, "UNKNOWN_TOPIC_OR_PARTITION")) {
    return version === "v3" ? codesV3.topicNotFound : errorCodes.topicNotFound;
  }
  if (status >= 500) return isRetriable(thrown) ? errorCodes.kafkaRetriable : errorCodes.kafka;
  if (version === "v2") return status === 409 ? errorCodes.illegalState : status;
  // Kafka refused what is well-formed; its clients look for one number.
  const isKafkas = thrown instanceof BrokerError && thrown.code !== "INVALID_REQUEST";
  return isKafkas && (status === 400 || status === 409) ? codesV3.badRequest : status;
}
