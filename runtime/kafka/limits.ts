// Limits of the Kafka door, all in one place. Each has a default; the server sets what its configuration names.

export interface DoorLimits {
  /** Largest request frame, size prefix not counted (socket.request.max.bytes). */
  readonly requestBytesMax: number;
  /** Bytes of requests that have arrived in part or wait, over all connections. Above it sockets pause. */
  readonly pendingBytesMax: number;
  /** Records in one Fetch answer, at least one batch (fetch.max.bytes). */
  readonly fetchBytesMax: number;
  /** Incremental fetch sessions kept (max.incremental.fetch.session.cache.slots). */
  readonly fetchSessionsMax: number;
  /** Requests of one connection that are not answered yet; above it the connection pauses. */
  readonly pipelinedRequestsMax: number;
  /** Open connections in all (max.connections), and from one address (max.connections.per.ip). */
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** Silence after which a connection is closed (connections.max.idle.ms). */
  readonly idleMsMax: number;
  /** Silence in the middle of a request after which a connection is closed: it holds pending bytes. */
  readonly stallMsMax: number;
  /** Answers copied into one buffer before they are handed to the socket. */
  readonly flushBytesMin: number;
  /** Records of one answer that are copied rather than pumped. */
  readonly inlineBytesMax: number;
  /** Buffers of file data on their way to sockets: of all connections, and of one. */
  readonly pumpBuffersMax: number;
  readonly pumpBuffersPerConnectionMax: number;
  /** How long `close` waits for answers that are due. */
  readonly closeMsMax: number;
}

const mib = 1024 * 1024;

export const defaultDoorLimits: DoorLimits = {
  requestBytesMax: 100 * mib,
  pendingBytesMax: 256 * mib,
  fetchBytesMax: 55 * mib,
  fetchSessionsMax: 1_000,
  pipelinedRequestsMax: 128,
  connectionsMax: 10_000,
  connectionsPerAddressMax: 10_000,
  idleMsMax: 600_000,
  stallMsMax: 60_000,
  flushBytesMin: 64 * 1024,
  inlineBytesMax: 64 * 1024,
  pumpBuffersMax: 64,
  pumpBuffersPerConnectionMax: 4,
  closeMsMax: 2_000,
};
