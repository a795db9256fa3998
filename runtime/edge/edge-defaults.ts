// What is configured differently inside a Durable Object unless the Worker's variables say otherwise: an isolate has
// 128 MB of memory, an object 10 GB of disk, and a start must be over in milliseconds.

/** As variables, so that they yield to the Worker's own. */
export const edgeDefaults: Readonly<Record<string, string>> = {
  /** One object, one partition of each internal topic: each is files to open at every start. */
  TIMBERLINE_OFFSETS_TOPIC_NUM_PARTITIONS: "1",
  TIMBERLINE_TRANSACTION_STATE_LOG_NUM_PARTITIONS: "1",
  /** What a start may have to read again, and the step in which retention frees space. */
  TIMBERLINE_LOG_SEGMENT_BYTES: String(16 * 1024 * 1024),
  TIMBERLINE_OFFSETS_TOPIC_SEGMENT_BYTES: String(4 * 1024 * 1024),
  TIMBERLINE_LOG_CLEANER_DEDUPE_BUFFER_SIZE: String(8 * 1024 * 1024),
  TIMBERLINE_SOCKET_REQUEST_MAX_BYTES: String(16 * 1024 * 1024),
  TIMBERLINE_QUEUED_MAX_REQUEST_BYTES: String(24 * 1024 * 1024),
  TIMBERLINE_FETCH_MAX_BYTES: String(8 * 1024 * 1024),
  TIMBERLINE_HTTP_BODY_MAX_BYTES: String(16 * 1024 * 1024),
};

/** Of one of several brokers: an object's storage is replicated already, and objects of one process end together. */
export const fleetDefaults: Readonly<Record<string, string>> = {
  TIMBERLINE_DEFAULT_REPLICATION_FACTOR: "1",
  TIMBERLINE_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
  TIMBERLINE_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
  TIMBERLINE_TRANSACTION_STATE_LOG_MIN_ISR: "1",
  /** Objects share a thread: one that waits for it is not dead. */
  TIMBERLINE_BROKER_HEARTBEAT_INTERVAL_MS: "1000",
  TIMBERLINE_BROKER_SESSION_TIMEOUT_MS: "10000",
};
