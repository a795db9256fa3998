// The rows behind the files of `durable-object.ts`. Persisted format, never change: `timberline_files` (id, path;
// a NULL path belongs to a removed file that is still read), `timberline_chunks` (file id × 2^32 + position of the
// first byte, bytes), `timberline_owner` (0, who may write). Rows of a file follow each other without gaps; none is longer than `chunkBytes`.

import type { ObjectStorage } from "./durable-object-sql.ts";
import { StorageError } from "./storage.ts";

/**
 * Longest row. The platform allows 2 MB, but a small read walks a row's pages from its start (10 µs for each 4 KiB),
 * and an index lookup reads 61 bytes anywhere; shorter rows cost more of them, and rows are what is paid for.
 */
export const chunkBytes = 64 * 1024;
/** A last row shorter than this takes the next bytes too: a page of the database is written anyway. */
export const mergeBytesMax = 4 * 1024;
/** Positions within a file; ids above them. Both fit the 53 bits that a number has. */
const fileBytesMax = 2 ** 32;
const fileIdMax = 2 ** 21 - 1;

/** All files of one object, by path. */
export class ContentTable {
  readonly #storage: ObjectStorage;
  readonly #bytesMax: number;
  readonly #byPath = new Map<string, Content>();
  readonly #ids = new Set<number>();
  #lastId = 0;
  #owner: string | undefined;
  /** Bytes of all files; counted only where there is a limit. */
  #usedBytes: number | undefined;

  constructor(storage: ObjectStorage, bytesMax: number) {
    this.#storage = storage;
    this.#bytesMax = bytesMax;
    const { sql } = storage;
    sql.exec("CREATE TABLE IF NOT EXISTS timberline_files (id INTEGER PRIMARY KEY, path TEXT)");
    sql.exec(
      "CREATE TABLE IF NOT EXISTS timberline_chunks (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    );
    for (const { id, path } of this.#rows()) {
      if (path === null) this.#forget(id);
      else this.#enter(id, path);
    }
  }

  /** Takes the right to write from whoever has it. */
  own(owner: string): void {
    const { sql } = this.#storage;
    sql.exec("CREATE TABLE IF NOT EXISTS timberline_owner (id INTEGER PRIMARY KEY, token TEXT)");
    sql.exec("INSERT OR REPLACE INTO timberline_owner VALUES (0, ?)", owner);
    this.#owner = owner;
  }

  /** Called before each change, within its transaction: two writers would spoil each other's rows. */
  demandOwner(): void {
    if (this.#isOwner()) return;
    throw new StorageError("failed", "another process has taken this object's storage over");
  }

  paths(): Iterable<string> {
    return this.#byPath.keys();
  }

  find(path: string): Content | undefined {
    return this.#byPath.get(path);
  }

  create(path: string): Content {
    this.demandOwner();
    const id = this.#freeId();
    this.#storage.sql.exec("INSERT INTO timberline_files VALUES (?, ?)", id, path);
    return this.#enter(id, path);
  }

  /** A new file under the path; who reads the old one keeps its bytes. */
  replace(path: string, bytes: Uint8Array): void {
    const old = this.#byPath.get(path);
    this.demandRoom(bytes.length - (old?.size ?? 0));
    try {
      this.#storage.transactionSync(() => {
        const isRead = old !== undefined && old.handles > 0;
        const content = old === undefined || isRead ? this.create(path) : old;
        content.truncate(0);
        content.append(bytes);
        if (isRead) this.#takeAway(old);
        this.#byPath.set(path, content);
      });
    } catch (error) {
      this.#usedBytes = undefined;
      old?.reload();
      if (old === undefined) this.#byPath.delete(path);
      else this.#byPath.set(path, old);
      throw error;
    }
  }

  rename(from: string, to: string): void {
    this.demandOwner();
    const moved = this.#below(from);
    if (moved.length === 0) {
      throw new StorageError("missing", `cannot rename ${from}: it does not exist`);
    }
    this.#storage.transactionSync(() => {
      for (const content of moved) {
        const path = to + content.path.slice(from.length);
        const replaced = this.#byPath.get(path);
        if (replaced === content) continue;
        if (replaced !== undefined) this.#takeAway(replaced);
        this.#storage.sql.exec(
          "UPDATE timberline_files SET path = ? WHERE id = ?",
          path,
          content.id,
        );
        this.#byPath.delete(content.path);
        content.path = path;
        this.#byPath.set(path, content);
      }
    });
  }

  remove(path: string): void {
    this.demandOwner();
    for (const content of this.#below(path)) this.#takeAway(content);
  }

  /** A handle was closed: nobody reads a removed file any more when it was the last. */
  release(content: Content): void {
    content.handles--;
    if (content.isRemoved && content.handles === 0 && this.#isOwner()) this.#forget(content.id);
  }

  usedBytes(): number {
    if (this.#usedBytes === undefined) {
      const query = "SELECT coalesce(sum(length(bytes)), 0) AS bytes FROM timberline_chunks";
      const [row] = this.#storage.sql.exec<{ bytes: number }>(query).toArray();
      this.#usedBytes = row?.bytes ?? 0;
    }
    return this.#usedBytes;
  }

  demandRoom(bytes: number): void {
    if (this.#bytesMax === Infinity || this.usedBytes() + bytes <= this.#bytesMax) return;
    throw new StorageError("full", `cannot add ${bytes} bytes: the object is full`);
  }

  noteUsed(bytes: number): void {
    if (this.#usedBytes !== undefined) this.#usedBytes += bytes;
  }

  #isOwner(): boolean {
    if (this.#owner === undefined) return true;
    const query = "SELECT token FROM timberline_owner WHERE id = 0";
    const [row] = this.#storage.sql.exec<{ token: string }>(query).toArray();
    return row?.token === this.#owner;
  }

  #rows(): { id: number; path: string | null }[] {
    const query = "SELECT id, path FROM timberline_files ORDER BY id";
    return this.#storage.sql.exec<{ id: number; path: string | null }>(query).toArray();
  }

  #enter(id: number, path: string): Content {
    const content = new Content(this.#storage, this, id, path);
    this.#ids.add(id);
    this.#lastId = Math.max(this.#lastId, id);
    this.#byPath.set(path, content);
    return content;
  }

  #below(path: string): Content[] {
    const own = this.#byPath.get(path);
    const found = own ? [own] : [];
    for (const [each, content] of this.#byPath) {
      if (each.startsWith(`${path}/`)) found.push(content);
    }
    return found;
  }

  /** Bytes that are still read stay until the last handle is closed, or until the object starts again. */
  #takeAway(content: Content): void {
    this.#byPath.delete(content.path);
    content.isRemoved = true;
    if (content.handles === 0) this.#forget(content.id);
    else {
      this.#storage.sql.exec("UPDATE timberline_files SET path = NULL WHERE id = ?", content.id);
    }
  }

  #forget(id: number): void {
    this.#storage.transactionSync(() => {
      const { sql } = this.#storage;
      const base = id * fileBytesMax;
      const end = base + fileBytesMax;
      if (this.#usedBytes !== undefined) this.#usedBytes -= bytesBetween(this.#storage, base, end);
      sql.exec("DELETE FROM timberline_chunks WHERE id >= ? AND id < ?", base, end);
      sql.exec("DELETE FROM timberline_files WHERE id = ?", id);
    });
    this.#ids.delete(id);
  }

  /** Ids are used again only when the last one was reached. */
  #freeId(): number {
    if (this.#lastId < fileIdMax) return this.#lastId + 1;
    for (let id = 1; id <= fileIdMax; id++) if (!this.#ids.has(id)) return id;
    throw new StorageError("full", `an object holds at most ${fileIdMax} files`);
  }
}

/** The bytes of one file. */
export class Content {
  readonly id: number;
  path: string;
  handles = 0;
  isRemoved = false;
  readonly #storage: ObjectStorage;
  readonly #table: ContentTable;
  readonly #base: number;
  #size: number | undefined;
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
    this.#size ??= this.#readSize();
    return this.#size;
  }

  /** What is known of the rows is looked up again: a transaction was rolled back. */
  reload(): void {
    this.#size = undefined;
    this.#tail = undefined;
    this.isRemoved = false;
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const { size } = this;
    if (size + bytes.length > fileBytesMax) {
      throw new StorageError("full", `cannot append to ${this.path}: a file ends at 4 GiB`);
    }
    this.#table.demandOwner();
    this.#table.demandRoom(bytes.length);
    const tail = this.#openTail();
    if (tail.length + bytes.length <= chunkBytes) this.#writeRow(size - tail.length, tail, bytes);
    else this.#storage.transactionSync(() => this.#writeRows(size - tail.length, tail, bytes));
    this.#size = size + bytes.length;
    this.#table.noteUsed(bytes.length);
    this.#tail = this.#tailAfter(tail, bytes);
  }

  /** Returns how many bytes there were. */
  read(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - position));
    if (count === 0) return 0;
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
    if (done === count) return count;
    const rows = this.#storage.sql.exec<{ bytes: ArrayBuffer }>(
      "SELECT bytes FROM timberline_chunks WHERE id >= ? AND id < ? ORDER BY id",
      from + done,
      from + count,
    );
    for (const { bytes } of rows) done += put(into, done, bytes, count - done);
    return done;
  }

  truncate(size: number): void {
    const before = this.size;
    if (size >= before) return;
    this.#table.demandOwner();
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
    const { size } = this;
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
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Copies at most `countMax` bytes to `at`; returns how many. */
function put(into: Uint8Array, at: number, bytes: ArrayBuffer | undefined, countMax: number) {
  const piece = new Uint8Array(bytes ?? new ArrayBuffer(0)).subarray(0, countMax);
  into.set(piece, at);
  return piece.length;
}

function bytesBetween({ sql }: ObjectStorage, from: number, end: number): number {
  const query =
    "SELECT coalesce(sum(length(bytes)), 0) AS bytes FROM timberline_chunks WHERE id >= ? AND id < ?";
  return sql.exec<{ bytes: number }>(query, from, end).toArray()[0]?.bytes ?? 0;
}
