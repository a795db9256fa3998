// The facts that can go wrong behind the doors, one error class, Kafka's own names as the vocabulary.
// `kafka/error-codes.ts` maps a name to its wire number, `http/error.ts` to a status: one mapping per door.
// Thrown by broker, log, storage and control plane; everything else that is thrown is a bug.

/** Kafka's error names (protocol page, "Error Codes") that Timberline can answer. */
export type ErrorName =
  | "UNKNOWN_SERVER_ERROR"
  | "OFFSET_OUT_OF_RANGE"
  | "CORRUPT_MESSAGE"
  | "UNKNOWN_TOPIC_OR_PARTITION"
  | "INVALID_FETCH_SIZE"
  | "LEADER_NOT_AVAILABLE"
  | "NOT_LEADER_OR_FOLLOWER"
  | "REQUEST_TIMED_OUT"
  | "BROKER_NOT_AVAILABLE"
  | "MESSAGE_TOO_LARGE"
  | "OFFSET_METADATA_TOO_LARGE"
  | "NETWORK_EXCEPTION"
  | "COORDINATOR_LOAD_IN_PROGRESS"
  | "COORDINATOR_NOT_AVAILABLE"
  | "NOT_COORDINATOR"
  | "INVALID_TOPIC_EXCEPTION"
  | "RECORD_LIST_TOO_LARGE"
  | "NOT_ENOUGH_REPLICAS"
  | "NOT_ENOUGH_REPLICAS_AFTER_APPEND"
  | "INVALID_REQUIRED_ACKS"
  | "INVALID_TIMESTAMP"
  | "UNSUPPORTED_VERSION"
  | "TOPIC_ALREADY_EXISTS"
  | "INVALID_PARTITIONS"
  | "INVALID_REPLICATION_FACTOR"
  | "INVALID_REPLICA_ASSIGNMENT"
  | "INVALID_CONFIG"
  | "NOT_CONTROLLER"
  | "INVALID_REQUEST"
  | "UNSUPPORTED_FOR_MESSAGE_FORMAT"
  | "POLICY_VIOLATION"
  | "OUT_OF_ORDER_SEQUENCE_NUMBER"
  | "DUPLICATE_SEQUENCE_NUMBER"
  | "INVALID_PRODUCER_EPOCH"
  | "INVALID_TXN_STATE"
  | "INVALID_PRODUCER_ID_MAPPING"
  | "INVALID_TRANSACTION_TIMEOUT"
  | "CONCURRENT_TRANSACTIONS"
  | "TRANSACTION_COORDINATOR_FENCED"
  | "OPERATION_NOT_ATTEMPTED"
  | "KAFKA_STORAGE_ERROR"
  | "LOG_DIR_NOT_FOUND"
  | "UNKNOWN_PRODUCER_ID"
  | "FETCH_SESSION_ID_NOT_FOUND"
  | "INVALID_FETCH_SESSION_EPOCH"
  | "TOPIC_DELETION_DISABLED"
  | "FENCED_LEADER_EPOCH"
  | "UNKNOWN_LEADER_EPOCH"
  | "UNSUPPORTED_COMPRESSION_TYPE"
  | "OFFSET_NOT_AVAILABLE"
  | "INVALID_RECORD"
  | "THROTTLING_QUOTA_EXCEEDED"
  | "PRODUCER_FENCED"
  | "RESOURCE_NOT_FOUND"
  | "UNKNOWN_TOPIC_ID"
  | "INCONSISTENT_TOPIC_ID"
  | "TRANSACTIONAL_ID_NOT_FOUND"
  | "FETCH_SESSION_TOPIC_ID_ERROR"
  | "TRANSACTION_ABORTABLE"
  | "INVALID_GROUP_ID"
  | "INVALID_REGULAR_EXPRESSION";

/** One fact, said once: Kafka's name for it and a sentence that says what to do. `cause` is kept. */
export class BrokerError extends Error {
  readonly code: ErrorName;
  constructor(code: ErrorName, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "BrokerError";
    this.code = code;
  }
}
