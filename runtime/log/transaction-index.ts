// `.txnindex` of one segment: the transactions whose abort marker lies in it, in the order of their markers, so
// that a read_committed fetch can tell its client what to skip. Kafka's layout, 34 bytes an entry: i16 version=0,
// i64 producerId, i64 firstOffset, i64 lastOffset, i64 lastStableOffset. Persisted format. Used by `segment.ts`
// and `local-log.ts`.

import { segmentFile, transactionIndexSuffix } from "./log-files.ts";
import type { SegmentPlace } from "./segment-indexes.ts";

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** Of the abort marker. */
  readonly lastOffset: number;
  /** What was stable once this transaction had ended: later entries begin nothing before it. */
  readonly lastStableOffset: number;
}

const entryBytes = 34;

export class TransactionIndex {
  readonly #place: SegmentPlace;
  readonly #baseOffset: number;
  #entries: AbortedTransaction[] | undefined;
  #isSynced = true;

  constructor(place: SegmentPlace, baseOffset: number) {
    this.#place = place;
    this.#baseOffset = baseOffset;
  }

  /** Read from the file when first asked; an absent file is an empty index. */
  get entries(): readonly AbortedTransaction[] {
    this.#entries ??= decodeTransactions(this.#place.storage.readFile(this.#path));
    return this.#entries;
  }

  /** Bytes of memory, about. */
  get bytes(): number {
    return (this.#entries?.length ?? 0) * entryBytes;
  }

  append(entry: AbortedTransaction): void {
    const known = this.entries as AbortedTransaction[];
    const file = this.#place.storage.open(this.#path, { create: true });
    try {
      // A torn entry of an earlier failure would shift all that follow.
      if (file.size !== known.length * entryBytes) file.truncate(known.length * entryBytes);
      file.append(encodeTransactions([entry]));
    } finally {
      file.close();
    }
    known.push(entry);
    this.#isSynced = false;
  }

  /** What recovery found in the log; an index that says nothing has no file. */
  replace(entries: readonly AbortedTransaction[]): void {
    this.#entries = [...entries];
    if (entries.length > 0) {
      this.#place.storage.writeFile(this.#path, encodeTransactions(entries));
    } else this.#place.storage.remove(this.#path);
    this.#isSynced = true;
  }

  /** Makes entries durable; must precede a recovery point behind their markers. */
  async sync(): Promise<void> {
    if (this.#isSynced) return;
    this.#isSynced = true;
    const file = this.#place.storage.open(this.#path);
    try {
      await file.sync();
    } finally {
      file.close();
    }
  }

  unload(): void {
    this.#entries = undefined;
  }

  /** Its segment left the log and its file has another name: there is nothing to make durable any more. */
  leave(): void {
    this.unload();
    this.#isSynced = true;
  }

  /** Adds to `found` what a reader of [from, to) must know; true when no later entry can matter. */
  collect(range: { from: number; to: number }, found: AbortedTransaction[]): boolean {
    const { entries } = this;
    for (let i = firstEndingAt(entries, range.from); i < entries.length; i++) {
      const entry = entries[i]!;
      if (entry.firstOffset < range.to) found.push(entry);
      if (entry.lastStableOffset >= range.to) return true;
    }
    return false;
  }

  get #path(): string {
    return `${this.#place.folder()}/${segmentFile(this.#baseOffset, transactionIndexSuffix)}`;
  }
}

export function encodeTransactions(entries: readonly AbortedTransaction[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * entryBytes);
  const view = new DataView(bytes.buffer);
  entries.forEach((entry, i) => {
    const at = i * entryBytes;
    view.setBigInt64(at + 2, BigInt(entry.producerId));
    view.setBigInt64(at + 10, BigInt(entry.firstOffset));
    view.setBigInt64(at + 18, BigInt(entry.lastOffset));
    view.setBigInt64(at + 26, BigInt(entry.lastStableOffset));
  });
  return bytes;
}

/** A torn entry at the end is left out. */
export function decodeTransactions(bytes: Uint8Array | undefined): AbortedTransaction[] {
  if (bytes === undefined) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: Math.floor(bytes.length / entryBytes) }, (_, i) => {
    const at = i * entryBytes;
    return {
      producerId: Number(view.getBigInt64(at + 2)),
      firstOffset: Number(view.getBigInt64(at + 10)),
      lastOffset: Number(view.getBigInt64(at + 18)),
      lastStableOffset: Number(view.getBigInt64(at + 26)),
    };
  });
}

/** Entries are in the order of their last offsets. */
function firstEndingAt(entries: readonly AbortedTransaction[], offset: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.lastOffset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
