// The record batches of a log file, one after the other.

export interface StoredBatch {
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly bytes: Uint8Array;
}

const headerBytes = 61;
/** Bytes before those that a batch's own length counts. */
const lengthEnd = 12;

/** Views of the file's bytes. The file must end with a whole batch, or with less than a header. */
export function storedBatches(file: Uint8Array): StoredBatch[] {
  return [...eachStoredBatch(file)];
}

/** The same one by one, for who looks for one of them. */
export function* eachStoredBatch(file: Uint8Array): Generator<StoredBatch> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = 0; at + headerBytes <= file.length; ) {
    const length = lengthEnd + view.getInt32(at + 8);
    const lastOffset = Number(view.getBigInt64(at)) + view.getInt32(at + 23);
    const leaderEpoch = view.getInt32(at + 12);
    yield { lastOffset, leaderEpoch, bytes: file.subarray(at, at + length) };
    at += length;
  }
}
