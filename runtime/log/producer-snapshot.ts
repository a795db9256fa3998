// `<offset>.snapshot`: Kafka's file of producer states at an offset, so that a restart need not read the log
// to recognise duplicates. Persisted format: i16 version=1, u32 crc32c of what follows it, i32 count, then
// per producer {i64 pid, i16 epoch, i32 lastSequence, i64 lastOffset, i32 offsetDelta, i64 timestamp,
// i32 coordinatorEpoch, i64 txnFirstOffset}. Pure.

export interface ProducerSnapshotEntry {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastOffset: number;
  /** lastOffset − first offset of the last batch. */
  readonly offsetDelta: number;
  readonly timestampMs: number;
  readonly coordinatorEpoch: number;
  /** -1: no open transaction. */
  readonly transactionFirstOffset: number;
}

type Crc32c = (bytes: Uint8Array) => number;

const version = 1;
const headerBytes = 2 + 4 + 4;
const entryBytes = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
const crcFrom = 6;

export function encodeSnapshot(
  entries: readonly ProducerSnapshotEntry[],
  crc32c: Crc32c,
): Uint8Array {
  const bytes = new Uint8Array(headerBytes + entries.length * entryBytes);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, version);
  view.setInt32(crcFrom, entries.length);
  entries.forEach((entry, i) => {
    const at = headerBytes + i * entryBytes;
    view.setBigInt64(at, BigInt(entry.producerId));
    view.setInt16(at + 8, entry.producerEpoch);
    view.setInt32(at + 10, entry.lastSequence);
    view.setBigInt64(at + 14, BigInt(entry.lastOffset));
    view.setInt32(at + 22, entry.offsetDelta);
    view.setBigInt64(at + 26, BigInt(entry.timestampMs));
    view.setInt32(at + 34, entry.coordinatorEpoch);
    view.setBigInt64(at + 38, BigInt(entry.transactionFirstOffset));
  });
  view.setUint32(2, crc32c(bytes.subarray(crcFrom)));
  return bytes;
}

/** Undefined when the file is torn, corrupt or of another version: the log itself is the truth. */
export function decodeSnapshot(
  bytes: Uint8Array,
  crc32c: Crc32c,
): ProducerSnapshotEntry[] | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getInt32(crcFrom);
  if (view.getInt16(0) !== version || bytes.length !== headerBytes + count * entryBytes)
    return undefined;
  if (view.getUint32(2) !== crc32c(bytes.subarray(crcFrom)) >>> 0) return undefined;
  return Array.from({ length: count }, (_, i) => decodeEntry(view, headerBytes + i * entryBytes));
}

function decodeEntry(view: DataView, at: number): ProducerSnapshotEntry {
  return {
    producerId: Number(view.getBigInt64(at)),
    producerEpoch: view.getInt16(at + 8),
    lastSequence: view.getInt32(at + 10),
    lastOffset: Number(view.getBigInt64(at + 14)),
    offsetDelta: view.getInt32(at + 22),
    timestampMs: Number(view.getBigInt64(at + 26)),
    coordinatorEpoch: view.getInt32(at + 34),
    transactionFirstOffset: Number(view.getBigInt64(at + 38)),
  };
}
