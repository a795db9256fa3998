// ClientError: the one error of the client library, with Kafka's name for what happened, whether trying again
// can help, and a sentence that says what to do. Retry rules of all parts of the client stand here.

import { type ErrorCodeName, errorCodes, errorName } from "../kafka/error-codes.ts";

export type ClientErrorCode =
  | Exclude<ErrorCodeName, "NONE">
  /** More was sent than `bufferBytesMax` allows without waiting for `ready`. */
  | "BUFFER_FULL"
  /** Nobody answered whether a transaction was committed. */
  | "OUTCOME_UNKNOWN"
  /** The client, producer or consumer was closed before this was done. */
  | "CLOSED";

export class ClientError extends Error {
  readonly code: ClientErrorCode;
  /** The same request may succeed later; the client has already tried within its time limits. */
  readonly retriable: boolean;

  constructor(code: ClientErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ClientError";
    this.code = code;
    this.retriable = retriable.has(code);
  }
}

/** Kafka's retriable errors, as far as this client meets them. */
const retriable: ReadonlySet<ClientErrorCode> = new Set<ClientErrorCode>([
  "CORRUPT_MESSAGE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_OR_FOLLOWER",
  "REQUEST_TIMED_OUT",
  "BROKER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "NOT_CONTROLLER",
  "KAFKA_STORAGE_ERROR",
  "FETCH_SESSION_ID_NOT_FOUND",
  "INVALID_FETCH_SESSION_EPOCH",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "OFFSET_NOT_AVAILABLE",
  "PREFERRED_LEADER_NOT_AVAILABLE",
  "ELIGIBLE_LEADERS_NOT_AVAILABLE",
  "THROTTLING_QUOTA_EXCEEDED",
  "UNKNOWN_TOPIC_ID",
  "INCONSISTENT_TOPIC_ID",
  "CONCURRENT_TRANSACTIONS",
  "UNSTABLE_OFFSET_COMMIT",
]);

/** An earlier transaction is being ended, which takes milliseconds. */
const transactionEndWaitMs = 20;

/** The longest sensible wait before this is tried again. */
export function retryWaitMsMax(code: ClientErrorCode): number {
  return code === "CONCURRENT_TRANSACTIONS" ? transactionEndWaitMs : Number.POSITIVE_INFINITY;
}

/** Errors after which the partition is asked for elsewhere: what is known of its leader is out of date. */
const staleMetadata: ReadonlySet<ClientErrorCode> = new Set<ClientErrorCode>([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_OR_FOLLOWER",
  "BROKER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "REQUEST_TIMED_OUT",
  "NOT_CONTROLLER",
  "KAFKA_STORAGE_ERROR",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_TOPIC_ID",
  "INCONSISTENT_TOPIC_ID",
]);

export function isStaleMetadata(code: ClientErrorCode): boolean {
  return staleMetadata.has(code);
}

/** The broker's view of an idempotent producer's sequences differs from ours. */
const sequenceErrors: ReadonlySet<ClientErrorCode> = new Set<ClientErrorCode>([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
]);

export function isSequenceError(code: ClientErrorCode): boolean {
  return sequenceErrors.has(code);
}

/** After these the broker may have the batch although it did not say so. */
const uncertain: ReadonlySet<ClientErrorCode> = new Set<ClientErrorCode>([
  "NETWORK_EXCEPTION",
  "REQUEST_TIMED_OUT",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  // Also said to those who wait for replicas, or for the disk, when that ends.
  "NOT_LEADER_OR_FOLLOWER",
  "KAFKA_STORAGE_ERROR",
]);

export function mayHaveAppended(code: ClientErrorCode): boolean {
  return uncertain.has(code);
}

export function isTooLarge(code: ClientErrorCode): boolean {
  return code === "MESSAGE_TOO_LARGE" || code === "RECORD_LIST_TOO_LARGE";
}

/** What to do, where the name alone does not say it. */
const advice: Partial<Record<ClientErrorCode, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: "Create the topic, or check its name and partition number.",
  LEADER_NOT_AVAILABLE: "Wait until the partition has a leader; check that its brokers run.",
  NOT_LEADER_OR_FOLLOWER: "Try again: the partition has moved to another broker.",
  MESSAGE_TOO_LARGE: "Send smaller records, or raise the topic's max.message.bytes.",
  RECORD_LIST_TOO_LARGE: "Send smaller batches, or raise the topic's segment.bytes.",
  OFFSET_OUT_OF_RANGE: "Seek to earliest or latest, or set offsetReset.",
  TOPIC_ALREADY_EXISTS: "Choose another name, or use the topic as it is.",
  INVALID_TOPIC_EXCEPTION: "Use 1 to 249 letters, digits, dots, underscores and hyphens.",
  INVALID_PARTITIONS: "Give a positive number of partitions, more than there are.",
  INVALID_REPLICATION_FACTOR: "Use at most as many replicas as there are brokers.",
  INVALID_RECORD: "Give each record a key if the topic is compacted, and a valid timestamp.",
  INVALID_TIMESTAMP: "Send timestamps near the broker's clock, or widen the topic's limits.",
  NOT_ENOUGH_REPLICAS: "Bring replicas back, or lower the topic's min.insync.replicas.",
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: "Bring replicas back, or lower min.insync.replicas.",
  UNSUPPORTED_VERSION: "Use a newer broker, or avoid what it does not offer.",
  UNSUPPORTED_COMPRESSION_TYPE: "Choose another compression for this broker.",
  CORRUPT_MESSAGE: "Try again; if it stays, look at the disks and the network.",
  TOPIC_AUTHORIZATION_FAILED: "Ask for the rights on this topic.",
  CLUSTER_AUTHORIZATION_FAILED: "Ask for the rights on the cluster.",
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "Ask for the rights on this transactional id.",
  INVALID_TRANSACTION_TIMEOUT: "Lower transactionTimeoutMs, or raise transaction.max.timeout.ms.",
  TRANSACTION_ABORTABLE: "Abort the transaction and begin it anew.",
  TRANSACTIONAL_ID_NOT_FOUND: "Check the id: ids that are not used are forgotten in time.",
  GROUP_ID_NOT_FOUND: "Check its name: a group begins with its first member or commit.",
  NON_EMPTY_GROUP: "Stop its members first, and wait for their sessions to end.",
  ILLEGAL_GENERATION: "The group has moved on: abort, and read again from what is committed.",
  UNKNOWN_MEMBER_ID: "The group goes on without this member: it has to join again.",
  FENCED_INSTANCE_ID: "Another member joined under the same groupInstanceId: give each its own.",
  INCONSISTENT_GROUP_PROTOCOL: "Choose assignors that all members of the group have.",
  INVALID_SESSION_TIMEOUT:
    "Choose sessionTimeoutMs within the broker's group.*.session.timeout.ms.",
  GROUP_MAX_SIZE_REACHED: "Stop a member, or raise the broker's group.max.size.",
  INVALID_REPLICA_ASSIGNMENT: "Name brokers that are registered, each once per partition.",
  NO_REASSIGNMENT_IN_PROGRESS: "It has ended already, or never began.",
  PREFERRED_LEADER_NOT_AVAILABLE: "Wait until it is in sync, then ask again.",
  ELIGIBLE_LEADERS_NOT_AVAILABLE: "Bring a broker with a replica back.",
  BROKER_ID_NOT_REGISTERED: "Check the number: timberline cluster brokers lists them.",
  UNSTABLE_OFFSET_COMMIT: "Wait until the transaction that holds these offsets has ended.",
};

/** From a wire number; `where` begins the sentence, e.g. "Producing to orders-0". Null for NONE. */
export function errorFromCode(
  wire: number,
  where: string,
  message: string | null = null,
): ClientError | null {
  if (wire === errorCodes.NONE) return null;
  const code = errorName(wire) as ClientErrorCode;
  const said = message === null || message === "" ? "" : ` (${message.replace(/\.$/, "")})`;
  const next = advice[code];
  return new ClientError(code, `${where}: ${code}${said}.${next === undefined ? "" : ` ${next}`}`);
}

/** Whatever was thrown as a ClientError; it is kept as the cause. */
export function asClientError(error: unknown, where: string): ClientError {
  if (error instanceof ClientError) return error;
  const why = error instanceof Error ? error.message : String(error);
  const code = errorCodeIn(error) ?? "UNKNOWN_SERVER_ERROR";
  return new ClientError(code, `${where}: ${why}`, { cause: error });
}

/** BrokerError and the like carry Kafka's name as `code`. */
function errorCodeIn(error: unknown): ClientErrorCode | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return;
  return error.code in errorCodes ? (error.code as ClientErrorCode) : undefined;
}
