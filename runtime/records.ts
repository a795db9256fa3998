// Records: bytes of whole record batches on their way out, in memory or still in a file, so that a fetch
// answer can be pumped from the page cache to the socket without ever being assembled.

import type { StorageFile } from "./storage/storage.ts";

export interface FileRange {
  readonly file: StorageFile;
  readonly position: number;
  readonly length: number;
}

export type RecordsPart = Uint8Array | FileRange;

export interface Records {
  /** Sum of the parts, bytes. */
  readonly length: number;
  readonly parts: readonly RecordsPart[];
  /** Must be called once, sent or not: until then no segment under the parts is removed. */
  release(): void;
}

export const noRecords: Records = { length: 0, parts: [], release() {} };

/**
 * Copies into one array: for callers that decode (HTTP, lookups), never on the Kafka path. Releases. `take` gives memory
 * of at least so many bytes, if it should not be fresh.
 */
export async function collect(
  records: Records,
  take: (bytes: number) => Uint8Array = freshMemory,
): Promise<Uint8Array> {
  try {
    const bytes = take(records.length).subarray(0, records.length);
    let at = 0;
    for (const part of records.parts) {
      if (part instanceof Uint8Array) bytes.set(part, at);
      else await part.file.read(bytes.subarray(at, at + part.length), part.position);
      at += part.length;
    }
    return bytes;
  } finally {
    records.release();
  }
}

function freshMemory(bytes: number): Uint8Array {
  return new Uint8Array(bytes);
}
