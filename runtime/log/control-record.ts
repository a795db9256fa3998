// Control records: the markers that end a transaction in a partition (KIP-98). One batch of one record, attributes
// control and transactional; key i16 version=0, i16 type (0 ABORT, 1 COMMIT), value i16 version=0, i32
// coordinatorEpoch. Persisted: never renumber. Pure apart from the core's encoder.

import type { Core } from "../../storage-wasm/core.ts";

export interface TransactionMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Leader epoch of the coordinator's partition: an older coordinator's marker is refused. */
  readonly coordinatorEpoch: number;
  readonly isCommit: boolean;
}

/**
 * A partition's fence is a marker of this producer, which nobody is given: its coordinator epoch is the token. To every
 * Kafka client it ends a transaction that never was. Persisted: never change.
 */
export const fenceProducerId = Number.MAX_SAFE_INTEGER;

/** What a control batch says: `type` is undefined for kinds that end no transaction. */
export interface ControlRecord {
  readonly type: "abort" | "commit" | undefined;
  readonly coordinatorEpoch: number;
}

/** Bytes of a marker's batch are fewer; a control batch of another kind may be longer. */
export const controlBytesMax = 128;
const recordsAt = 61;
const keyBytes = 4;
const valueBytes = 6;
const types = ["abort", "commit"] as const;

export function encodeMarker(core: Core, marker: TransactionMarker, nowMs: number): Uint8Array {
  const key = new Uint8Array(keyBytes);
  new DataView(key.buffer).setInt16(2, marker.isCommit ? 1 : 0);
  const value = new Uint8Array(valueBytes);
  new DataView(value.buffer).setInt32(2, marker.coordinatorEpoch);
  return core.encode([{ key, value, timestampMs: nowMs }], {
    compression: null,
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    isTransactional: true,
    isControl: true,
  });
}

/** Reads a control batch from its first bytes (`controlBytesMax` are enough). */
export function readControl(batch: Uint8Array): ControlRecord {
  const unknown: ControlRecord = { type: undefined, coordinatorEpoch: -1 };
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  const skipVarint = (from: number) => {
    let at = from;
    while (at < batch.length && batch[at]! >= 0x80) at++;
    return at + 1;
  };
  // Length, attributes, timestamp delta, offset delta, key length.
  const deltas = skipVarint(recordsAt) + 1;
  const keyAt = skipVarint(skipVarint(skipVarint(deltas)));
  const valueAt = skipVarint(keyAt + keyBytes);
  if (valueAt + valueBytes > batch.length) return unknown;
  const type = types[view.getInt16(keyAt + 2)];
  if (type === undefined) return unknown;
  return { type, coordinatorEpoch: view.getInt32(valueAt + 2) };
}
