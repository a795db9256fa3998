// The rows behind the files of `durable-object.ts`. Persisted format, never change: `timberline_files` (id, path;
// a NULL path belongs to a removed file that is still read), `timberline_chunks` (file id × 2^32 + position of the
// first byte, bytes), `timberline_owner` (0, who may write). Rows of a file follow each other without gaps; none is longer than `chunkBytes`.

import { Content, fileBytesMax } from "./durable-object-content.ts";
import type { ObjectStorage } from "./durable-object-sql.ts";
import { StorageError } from "./storage.ts";

const fileIdMax = 2 ** 21 - 1;
/** Appended bytes that wait in memory for the next sync, of all files together. */
const pendingBytesMax = 4 * 1024 * 1024;

export interface ContentLimits {
  /** Bytes of all files; Infinity: as many as the platform takes. */
  readonly bytesMax: number;
  /** Given: appends wait in memory until `writeOut`, which is run through it at the latest. */
  readonly soon: ((run: () => void) => void) | undefined;
}

/** All files of one object, by path. */
export class ContentTable {
  readonly #storage: ObjectStorage;
  readonly #limits: ContentLimits;
  /** Files with bytes in memory, and how many these are. */
  readonly #pending = new Set<Content>();
  #pendingBytes = 0;
  readonly #byPath = new Map<string, Content>();
  readonly #ids = new Set<number>();
  #lastId = 0;
  #owner: string | undefined;
  /** Bytes of all files; counted only where there is a limit. */
  #usedBytes: number | undefined;

  constructor(storage: ObjectStorage, limits: ContentLimits) {
    this.#storage = storage;
    this.#limits = limits;
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

  /** Puts what waits in memory into rows: one transaction, however many files and appends. */
  writeOut(): void {
    if (this.#pending.size === 0) return;
    this.demandOwner();
    for (const content of [...this.#pending]) {
      content.writeOut();
      this.#pending.delete(content);
    }
    this.#pendingBytes = 0;
  }

  /** Whether bytes of this file may wait; then the table remembers that it has some. */
  defer(content: Content, bytes: number): boolean {
    const { soon } = this.#limits;
    if (soon === undefined) return false;
    if (this.#pendingBytes + bytes > pendingBytesMax) this.writeOut();
    if (bytes > pendingBytesMax) return false;
    if (this.#pending.size === 0) soon(() => this.#writeOutQuietly());
    this.#pending.add(content);
    this.#pendingBytes += bytes;
    return true;
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
    this.writeOut();
    const old = this.#byPath.get(path);
    this.demandRoom(bytes.length - (old?.size ?? 0));
    try {
      this.#storage.transactionSync(() => {
        const isRead = old !== undefined && old.handles > 0;
        const content = old === undefined || isRead ? this.create(path) : old;
        content.truncate(0);
        content.append(bytes);
        this.writeOut();
        if (isRead) this.#takeAway(old);
        this.#byPath.set(path, content);
      });
    } catch (error) {
      this.#usedBytes = undefined;
      this.#pending.clear();
      this.#pendingBytes = 0;
      old?.reload();
      if (old === undefined) this.#byPath.delete(path);
      else this.#byPath.set(path, old);
      throw error;
    }
  }

  rename(from: string, to: string): void {
    this.writeOut();
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
    this.writeOut();
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
      this.#usedBytes = (row?.bytes ?? 0) + this.#pendingBytes;
    }
    return this.#usedBytes;
  }

  demandRoom(bytes: number): void {
    const { bytesMax } = this.#limits;
    if (bytesMax === Infinity) return;
    // Cheaper to ask than to count, and never less than what is used.
    if (this.#storage.sql.databaseSize + this.#pendingBytes + bytes <= bytesMax) return;
    if (this.usedBytes() + bytes <= bytesMax) return;
    throw new StorageError("full", `cannot add ${bytes} bytes: the object is full`);
  }

  noteUsed(bytes: number): void {
    if (this.#usedBytes !== undefined) this.#usedBytes += bytes;
  }

  /** Who syncs is told what went wrong; nobody waits for this. */
  #writeOutQuietly(): void {
    try {
      this.writeOut();
    } catch {
      // Kept in memory, and refused again by the next sync.
    }
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

function bytesBetween({ sql }: ObjectStorage, from: number, end: number): number {
  const query =
    "SELECT coalesce(sum(length(bytes)), 0) AS bytes FROM timberline_chunks WHERE id >= ? AND id < ?";
  return sql.exec<{ bytes: number }>(query, from, end).toArray()[0]?.bytes ?? 0;
}
