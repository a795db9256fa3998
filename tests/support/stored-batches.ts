// The record batches of a log file, one after the other.

export interface StoredBatch {
  readonly lastOffset: number;
  readonly bytes: Uint8Array;
}

const headerBytes = 61;
/** Bytes before those that a batch's own length counts. */
const lengthEnd = 12;

/** Views of the file's bytes. The file must end with a whole batch, or with less than a header. */
export function storedBatches(file: Uint8Array): StoredBatch[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const found: StoredBatch[] = [];
  for (let at = 0; at + headerBytes <= file.length; ) {
    const length = lengthEnd + view.getInt32(at + 8);
    const lastOffset = Number(view.getBigInt64(at)) + view.getInt32(at + 23);
    found.push({ lastOffset, bytes: file.subarray(at, at + length) });
    at += length;
  }
  return found;
}
