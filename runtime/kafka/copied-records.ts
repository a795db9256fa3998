// Copied records: the few and small ones that are cheaper to copy into an answer than to send as pieces of
// their own. Files are read at once: such reads are the newest records, which are in the page cache.

import type { Records } from "../records.ts";

/** Fills `into`, which has the records' length, and releases them. */
export function copyRecords(records: Records, into: Uint8Array): void {
  try {
    let at = 0;
    for (const part of records.parts) {
      if (part instanceof Uint8Array) {
        into.set(part, at);
      } else {
        const read = part.file.readSync(into.subarray(at, at + part.length), part.position);
        if (read !== part.length) throw new ShortRead(part.file.path, part.length, read);
      }
      at += part.length;
    }
  } finally {
    records.release();
  }
}

/** A file ended before the bytes the log said it has. */
export class ShortRead extends Error {
  constructor(path: string, wanted: number, read: number) {
    super(`${path}: ${wanted} bytes wanted, ${read} read`);
    this.name = "ShortRead";
  }
}
