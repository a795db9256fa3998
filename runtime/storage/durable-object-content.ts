// The bytes of one file of `durable-object.ts`: rows of `timberline_chunks`, and behind them what was appended since
// the last sync and waits in memory. `durable-object-contents.ts` has all of them and owns the format.

import type { ContentTable } from "./durable-object-contents.ts";
import type { ObjectStorage } from "./durable-object-sql.ts";
import { StorageError } from "./storage.ts";

/**
 * Longest row. The platform allows 2 MB, but a small read walks a row's pages from its start (10 µs for each 4 KiB),
 * and an index lookup reads 61 bytes anywhere; shorter rows cost more of them, and rows are what is paid for.
 */
export const chunkBytes = 64 * 1024;
/** A last row shorter than this takes the next bytes too: a page of the database is written anyway. */
export const mergeBytesMax = 4 * 1024;
/** Positions within a file; ids above them. Both fit the 53 bits that a number has. Persisted: never change. */
export const fileBytesMax = 2 ** 32;

/** The bytes of one file. */
export class Content {
  readonly id: number;
  path: string;
  handles = 0;
  isRemoved = false;
  readonly #storage: ObjectStorage;
  readonly #table: ContentTable;
  readonly #base: number;
  /** Bytes in rows. */
  #size: number | undefined;
  /** Appended after them, in memory. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** The last row if it takes more bytes; undefined: not looked at. */
  #tail: Uint8Array | null | undefined;

  constructor(storage: ObjectStorage, table: ContentTable, id: number, path: string) {
    this.#storage = storage;
    this.#table = table;
    this.id = id;
    this.#base = id * fileBytesMax;
    this.path = path;
  }

  get size(): number {
    return this.#written + this.#pendingBytes;
  }

  /** What is known of the rows is looked up again: a transaction was rolled back. */
  reload(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#size = undefined;
    this.#tail = undefined;
    this.isRemoved = false;
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.size + bytes.length > fileBytesMax) {
      throw new StorageError("full", `cannot append to ${this.path}: a file ends at 4 GiB`);
    }
    this.#table.demandRoom(bytes.length);
    if (this.#table.defer(this, bytes.length)) {
      // A copy: the caller's memory is used again.
      this.#pending.push(bytes.slice());
      this.#pendingBytes += bytes.length;
    } else {
      this.#table.demandOwner();
      this.#write(bytes);
    }
    this.#table.noteUsed(bytes.length);
  }

  /** Called by the table. */
  writeOut(): void {
    if (this.#pendingBytes === 0) return;
    this.#write(concatenated(this.#pending, this.#pendingBytes));
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Returns how many bytes there were. */
  read(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - position));
    const inRows = Math.max(0, Math.min(count, this.#written - position));
    if (inRows > 0) this.#readRows(into, position, inRows);
    if (inRows < count) this.#readPending(into, inRows, position + inRows - this.#written, count);
    return count;
  }

  truncate(size: number): void {
    if (size >= this.size) return;
    this.#table.writeOut();
    this.#table.demandOwner();
    this.#cut(size);
  }

  get #written(): number {
    this.#size ??= this.#readSize();
    return this.#size;
  }

  #readRows(into: Uint8Array, position: number, count: number): void {
    const from = this.#base + position;
    const [first] = this.#storage.sql
      .exec<{ id: number; bytes: ArrayBuffer }>(
        "SELECT id, substr(bytes, ?1 - id + 1, ?2) AS bytes FROM timberline_chunks " +
          "WHERE id <= ?1 ORDER BY id DESC LIMIT 1",
        from,
        count,
      )
      .toArray();
    let done = put(into, 0, first?.bytes, count);
    if (done === count) return;
    const rows = this.#storage.sql.exec<{ bytes: ArrayBuffer }>(
      "SELECT bytes FROM timberline_chunks WHERE id >= ? AND id < ? ORDER BY id",
      from + done,
      from + count,
    );
    for (const { bytes } of rows) done += put(into, done, bytes, count - done);
  }

  /** Fills `into` from `at` up to `end` with pending bytes, the first of which is `skip` bytes into them. */
  #readPending(into: Uint8Array, at: number, skip: number, end: number): void {
    let before = skip;
    let done = at;
    for (const piece of this.#pending) {
      if (done === end) return;
      if (before >= piece.length) before -= piece.length;
      else {
        const part = piece.subarray(before, before + end - done);
        into.set(part, done);
        done += part.length;
        before = 0;
      }
    }
  }

  #cut(size: number): void {
    const before = this.#written;
    const { sql } = this.#storage;
    const cut = this.#base + size;
    this.#storage.transactionSync(() => {
      const end = this.#base + fileBytesMax;
      sql.exec("DELETE FROM timberline_chunks WHERE id >= ? AND id < ?", cut, end);
      if (size === 0) return;
      sql.exec(
        "UPDATE timberline_chunks SET bytes = substr(bytes, 1, ?1 - id) WHERE id = " +
          "(SELECT max(id) FROM timberline_chunks WHERE id < ?1)",
        cut,
      );
    });
    this.#size = size;
    this.#table.noteUsed(size - before);
    this.#tail = undefined;
  }

  #write(bytes: Uint8Array): void {
    const size = this.#written;
    const tail = this.#openTail();
    if (tail.length + bytes.length <= chunkBytes) this.#writeRow(size - tail.length, tail, bytes);
    else this.#storage.transactionSync(() => this.#writeRows(size - tail.length, tail, bytes));
    this.#size = size + bytes.length;
    this.#tail = this.#tailAfter(tail, bytes);
  }

  #readSize(): number {
    const query =
      "SELECT id, length(bytes) AS bytes FROM timberline_chunks " +
      "WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1";
    const end = this.#base + fileBytesMax;
    const [last] = this.#storage.sql
      .exec<{ id: number; bytes: number }>(query, this.#base, end)
      .toArray();
    return last === undefined ? 0 : last.id - this.#base + last.bytes;
  }

  /** What the next bytes are written together with. */
  #openTail(): Uint8Array {
    if (this.#tail === undefined) this.#tail = this.#readTail();
    return this.#tail ?? nothing;
  }

  #readTail(): Uint8Array | null {
    const size = this.#written;
    if (size === 0) return null;
    const [last] = this.#storage.sql
      .exec<{ bytes: ArrayBuffer | null }>(
        "SELECT iif(length(bytes) < ?1, bytes, NULL) AS bytes FROM timberline_chunks " +
          "WHERE id < ?2 ORDER BY id DESC LIMIT 1",
        mergeBytesMax,
        this.#base + size,
      )
      .toArray();
    return last?.bytes ? new Uint8Array(last.bytes) : null;
  }

  #tailAfter(tail: Uint8Array, bytes: Uint8Array): Uint8Array | null {
    const length = (tail.length + bytes.length) % chunkBytes;
    if (length === 0 || length >= mergeBytesMax) return null;
    if (tail.length + bytes.length <= chunkBytes) return joined(tail, bytes);
    return bytes.slice(bytes.length - length);
  }

  #writeRow(position: number, tail: Uint8Array, bytes: Uint8Array): void {
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO timberline_chunks VALUES (?, ?)",
      this.#base + position,
      tail.length === 0 ? bytes : joined(tail, bytes),
    );
  }

  #writeRows(position: number, tail: Uint8Array, bytes: Uint8Array): void {
    let done = Math.min(bytes.length, chunkBytes - tail.length);
    this.#writeRow(position, tail, bytes.subarray(0, done));
    let at = position + tail.length + done;
    while (done < bytes.length) {
      const piece = bytes.subarray(done, done + chunkBytes);
      this.#writeRow(at, nothing, piece);
      done += piece.length;
      at += piece.length;
    }
  }
}

const nothing = new Uint8Array(0);

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  return concatenated([first, second], first.length + second.length);
}

function concatenated(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Copies at most `countMax` bytes to `at`; returns how many. */
function put(into: Uint8Array, at: number, bytes: ArrayBuffer | undefined, countMax: number) {
  const piece = new Uint8Array(bytes ?? new ArrayBuffer(0)).subarray(0, countMax);
  into.set(piece, at);
  return piece.length;
}
