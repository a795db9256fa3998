// Kafka's index files, read back entry by entry: `.index`, `.timeindex`, `.txnindex`. Pure. Preallocated zeros
// at the end (Kafka leaves them after an unclean stop) are not entries.

export interface OffsetEntry {
  readonly offset: number;
  readonly position: number;
}

export interface TimeEntry {
  readonly timestampMs: number;
  readonly offset: number;
}

export interface TransactionEntry {
  readonly version: number;
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

/** `tornBytes`: what is left over behind the last whole entry. */
export interface IndexFile<T> {
  readonly entries: readonly T[];
  readonly tornBytes: number;
}

const OFFSET_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;
const TRANSACTION_ENTRY_BYTES = 34;

export function decodeOffsetIndex(bytes: Uint8Array, baseOffset: number): IndexFile<OffsetEntry> {
  return decodeEntries(bytes, OFFSET_ENTRY_BYTES, (view, at) => ({
    offset: baseOffset + view.getInt32(at),
    position: view.getInt32(at + 4),
  }));
}

export function decodeTimeIndex(bytes: Uint8Array, baseOffset: number): IndexFile<TimeEntry> {
  return decodeEntries(bytes, TIME_ENTRY_BYTES, (view, at) => ({
    timestampMs: Number(view.getBigInt64(at)),
    offset: baseOffset + view.getInt32(at + 8),
  }));
}

export function decodeTransactionIndex(bytes: Uint8Array): IndexFile<TransactionEntry> {
  return decodeEntries(bytes, TRANSACTION_ENTRY_BYTES, (view, at) => ({
    version: view.getInt16(at),
    producerId: Number(view.getBigInt64(at + 2)),
    firstOffset: Number(view.getBigInt64(at + 10)),
    lastOffset: Number(view.getBigInt64(at + 18)),
    lastStableOffset: Number(view.getBigInt64(at + 26)),
  }));
}

function decodeEntries<T>(
  bytes: Uint8Array,
  entryBytes: number,
  decode: (view: DataView, at: number) => T,
): IndexFile<T> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const used = usedBytes(bytes, entryBytes);
  const entries: T[] = [];
  for (let at = 0; at + entryBytes <= used; at += entryBytes) entries.push(decode(view, at));
  return { entries, tornBytes: bytes.length % entryBytes };
}

/** Whole entries up to the last one that is not all zeros, the first always counted. */
function usedBytes(bytes: Uint8Array, entryBytes: number): number {
  let used = bytes.length - (bytes.length % entryBytes);
  while (used > entryBytes && bytes.subarray(used - entryBytes, used).every((byte) => byte === 0)) {
    used -= entryBytes;
  }
  return used;
}
