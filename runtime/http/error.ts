// What can go wrong at the HTTP door and how it is told: one error body for every route, one mapping from
// Kafka's error names to statuses. Routes throw; only `app.ts` turns what was thrown into an answer.

import { BrokerError, type ErrorName } from "../errors.ts";

/** Every error answer, also of unknown routes: `{"error":{"code":…,"message":…,"status":…}}`. */
export interface ErrorBody {
  readonly error: {
    /** Kafka's name for the fact. */
    readonly code: ErrorName;
    /** What is wrong, where, and what to do. */
    readonly message: string;
    readonly status: number;
    /** More about it, by error: `issues` of a validation, `line` of a stream, … */
    readonly [detail: string]: unknown;
  };
  /** Members beside the error: what was `stored` before it. */
  readonly [beside: string]: unknown;
}

export interface HttpErrorOptions {
  /** Only for facts that HTTP knows and Kafka does not: 405, 413 of a body, 415, 503. */
  readonly status?: number;
  /** Members of `error` beside code, message and status. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Members beside `error`. */
  readonly beside?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A `BrokerError` with what only this door can say about it. */
export class HttpError extends BrokerError {
  readonly options: HttpErrorOptions;
  constructor(code: ErrorName, message: string, options: HttpErrorOptions = {}) {
    super(code, message, { cause: options.cause });
    this.name = "HttpError";
    this.options = options;
  }
}

/** The request itself is wrong: INVALID_REQUEST, 400. */
export function invalid(message: string, details?: Readonly<Record<string, unknown>>): HttpError {
  return new HttpError("INVALID_REQUEST", message, details ? { details } : {});
}

/** The one mapping of this door. */
export const statusOfCode: { readonly [name in ErrorName]: number } = {
  UNKNOWN_SERVER_ERROR: 500,
  OFFSET_OUT_OF_RANGE: 416,
  CORRUPT_MESSAGE: 422,
  UNKNOWN_TOPIC_OR_PARTITION: 404,
  INVALID_FETCH_SIZE: 400,
  LEADER_NOT_AVAILABLE: 503,
  NOT_LEADER_OR_FOLLOWER: 503,
  REQUEST_TIMED_OUT: 504,
  BROKER_NOT_AVAILABLE: 503,
  MESSAGE_TOO_LARGE: 413,
  OFFSET_METADATA_TOO_LARGE: 413,
  NETWORK_EXCEPTION: 502,
  COORDINATOR_LOAD_IN_PROGRESS: 503,
  COORDINATOR_NOT_AVAILABLE: 503,
  NOT_COORDINATOR: 503,
  INVALID_TOPIC_EXCEPTION: 400,
  RECORD_LIST_TOO_LARGE: 413,
  NOT_ENOUGH_REPLICAS: 503,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 503,
  INVALID_REQUIRED_ACKS: 400,
  INVALID_TIMESTAMP: 400,
  UNSUPPORTED_VERSION: 400,
  INVALID_UPDATE_VERSION: 400,
  TOPIC_ALREADY_EXISTS: 409,
  INVALID_PARTITIONS: 400,
  INVALID_REPLICATION_FACTOR: 400,
  INVALID_REPLICA_ASSIGNMENT: 400,
  INVALID_CONFIG: 400,
  NOT_CONTROLLER: 503,
  INVALID_REQUEST: 400,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 422,
  POLICY_VIOLATION: 403,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 409,
  DUPLICATE_SEQUENCE_NUMBER: 409,
  INVALID_PRODUCER_EPOCH: 409,
  INVALID_TXN_STATE: 409,
  INVALID_PRODUCER_ID_MAPPING: 409,
  INVALID_TRANSACTION_TIMEOUT: 400,
  CONCURRENT_TRANSACTIONS: 409,
  TRANSACTION_COORDINATOR_FENCED: 409,
  OPERATION_NOT_ATTEMPTED: 412,
  KAFKA_STORAGE_ERROR: 503,
  LOG_DIR_NOT_FOUND: 404,
  UNKNOWN_PRODUCER_ID: 409,
  FETCH_SESSION_ID_NOT_FOUND: 404,
  INVALID_FETCH_SESSION_EPOCH: 409,
  TOPIC_DELETION_DISABLED: 403,
  FENCED_LEADER_EPOCH: 409,
  UNKNOWN_LEADER_EPOCH: 503,
  UNSUPPORTED_COMPRESSION_TYPE: 415,
  OFFSET_NOT_AVAILABLE: 503,
  INVALID_RECORD: 422,
  THROTTLING_QUOTA_EXCEEDED: 429,
  PRODUCER_FENCED: 409,
  RESOURCE_NOT_FOUND: 404,
  UNKNOWN_TOPIC_ID: 404,
  INCONSISTENT_TOPIC_ID: 409,
  TRANSACTIONAL_ID_NOT_FOUND: 404,
  FETCH_SESSION_TOPIC_ID_ERROR: 409,
  TRANSACTION_ABORTABLE: 409,
  ILLEGAL_GENERATION: 409,
  INCONSISTENT_GROUP_PROTOCOL: 409,
  INVALID_GROUP_ID: 400,
  UNKNOWN_MEMBER_ID: 404,
  INVALID_SESSION_TIMEOUT: 400,
  REBALANCE_IN_PROGRESS: 409,
  INVALID_COMMIT_OFFSET_SIZE: 413,
  NON_EMPTY_GROUP: 409,
  GROUP_ID_NOT_FOUND: 404,
  MEMBER_ID_REQUIRED: 409,
  GROUP_MAX_SIZE_REACHED: 409,
  FENCED_INSTANCE_ID: 409,
  GROUP_SUBSCRIBED_TO_TOPIC: 409,
  UNSTABLE_OFFSET_COMMIT: 409,
  FENCED_MEMBER_EPOCH: 409,
  UNRELEASED_INSTANCE_ID: 409,
  UNSUPPORTED_ASSIGNOR: 400,
  STALE_MEMBER_EPOCH: 409,
  INVALID_REGULAR_EXPRESSION: 400,
  PREFERRED_LEADER_NOT_AVAILABLE: 503,
  ELIGIBLE_LEADERS_NOT_AVAILABLE: 503,
  ELECTION_NOT_NEEDED: 409,
  NO_REASSIGNMENT_IN_PROGRESS: 409,
  BROKER_ID_NOT_REGISTERED: 404,
};

export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorBody;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a client is told about `thrown`. Bugs keep their text to themselves: it may name paths or data. */
export function errorAnswer(thrown: unknown): ErrorAnswer {
  const known = thrown instanceof BrokerError ? thrown : null;
  const code = known?.code ?? "UNKNOWN_SERVER_ERROR";
  const message = known?.message ?? "the server failed to answer this request; its log says why";
  const options = known instanceof HttpError ? known.options : {};
  const status = options.status ?? statusOfCode[code];
  return {
    status,
    body: { error: { ...options.details, code, message, status }, ...options.beside },
    headers: options.headers ?? {},
  };
}

/** Whether `thrown` is a bug or a failure of the server that a person should hear of. */
export function isUnexpected(thrown: unknown): boolean {
  return !(thrown instanceof BrokerError) || thrown.code === "UNKNOWN_SERVER_ERROR";
}
