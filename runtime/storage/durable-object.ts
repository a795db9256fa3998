// Storage in the SQLite database of a Durable Object (workerd). A file is rows of `timberline_chunks`, each a piece
// of it; everything written between two awaits becomes durable as a whole or not at all, so no tail is ever torn.
// Same suite as `file.ts`, run inside workerd: `tests/conformance/storage.ts`.

import type { Content } from "./durable-object-content.ts";
import { ContentTable } from "./durable-object-contents.ts";
import { attempt, filesBytesMax, type ObjectStorage } from "./durable-object-sql.ts";
import { type Storage, type StorageEntry, StorageError, type StorageFile } from "./storage.ts";

export interface DurableObjectStorageOptions {
  /** Refuse what would make the files larger than this. Default: a little less than the platform does. */
  readonly bytesMax?: number;
  /**
   * Given, appends wait in memory until `sync`, or until what was given to it runs: the platform's database writes to
   * disk after every turn of the event loop that changed it, so that appends of a hundred requests would cost a
   * hundred writes. Absent: written at once.
   */
  readonly soon?: (run: () => void) => void;
  /** Unlike that of any other start: who locks last is the only one that writes. */
  readonly owner?: string;
}

/** Opens what the object holds; there is one storage for each object at a time. */
export function openDurableObjectStorage(
  storage: ObjectStorage,
  options: DurableObjectStorageOptions = {},
): Storage {
  return new DurableObjectStorage(storage, options);
}

class DurableObjectStorage implements Storage {
  readonly root = "durable-object";
  readonly #storage: ObjectStorage;
  readonly #contents: ContentTable;
  readonly #open = new Set<ObjectFile>();
  readonly #bytesMax: number;
  readonly #owner: string | undefined;
  #locked = false;

  constructor(storage: ObjectStorage, options: DurableObjectStorageOptions) {
    this.#storage = storage;
    this.#bytesMax = options.bytesMax ?? filesBytesMax;
    this.#owner = options.owner;
    const { soon } = options;
    this.#contents = new ContentTable(storage, { bytesMax: this.#bytesMax, soon });
  }

  list(folder: string): StorageEntry[] {
    const prefix = folder === "" ? "" : `${folder}/`;
    const entries = new Map<string, StorageEntry>();
    for (const path of this.#contents.paths()) {
      if (!path.startsWith(prefix)) continue;
      const [name = "", ...below] = path.slice(prefix.length).split("/");
      entries.set(name, { name, folder: below.length > 0 });
    }
    return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  open(path: string, options?: { create?: boolean }): StorageFile {
    const found = this.#contents.find(path);
    if (found === undefined && !options?.create) {
      throw new StorageError("missing", `cannot open ${path}: it does not exist`);
    }
    const content = found ?? attempt(`create ${path}`, () => this.#contents.create(path));
    const file = new ObjectFile(this.#storage, this.#contents, content, (closed) => {
      this.#open.delete(closed);
      this.#contents.release(content);
    });
    this.#open.add(file);
    return file;
  }

  readFile(path: string): Uint8Array | undefined {
    const content = this.#contents.find(path);
    if (content === undefined) return undefined;
    return attempt(`read ${path}`, () => {
      const bytes = new Uint8Array(content.size);
      content.read(bytes, 0);
      return bytes;
    });
  }

  writeFile(path: string, bytes: Uint8Array): void {
    attempt(`write ${path}`, () => this.#contents.replace(path, bytes));
  }

  rename(from: string, to: string): void {
    attempt(`rename ${from} to ${to}`, () => this.#contents.rename(from, to));
  }

  remove(path: string): void {
    attempt(`remove ${path}`, () => this.#contents.remove(path));
  }

  space(): { totalBytes: number; freeBytes: number } {
    const totalBytes = this.#bytesMax;
    return { totalBytes, freeBytes: Math.max(0, totalBytes - this.#contents.usedBytes()) };
  }

  /**
   * An object runs once in the world, but two processes of workerd may be started on the same folder: from now on
   * the other one's writes are refused.
   */
  lock(): void {
    if (this.#locked) throw new StorageError("locked", "this object's storage is in use");
    this.#locked = true;
    const owner = this.#owner;
    if (owner !== undefined) attempt("take the storage over", () => this.#contents.own(owner));
  }

  close(): void {
    for (const file of [...this.#open]) file.close();
    attempt("write what was appended last", () => this.#contents.writeOut());
    this.#locked = false;
  }
}

class ObjectFile implements StorageFile {
  readonly #storage: ObjectStorage;
  readonly #contents: ContentTable;
  readonly #content: Content;
  readonly #onClose: (file: ObjectFile) => void;
  #closed = false;

  constructor(
    storage: ObjectStorage,
    contents: ContentTable,
    content: Content,
    onClose: (file: ObjectFile) => void,
  ) {
    this.#storage = storage;
    this.#contents = contents;
    this.#content = content;
    this.#onClose = onClose;
    content.handles++;
  }

  get path(): string {
    return this.#content.path;
  }

  get size(): number {
    return this.#content.size;
  }

  append(bytes: Uint8Array): void {
    this.#demandOpen();
    attempt(`append to ${this.path}`, () => this.#content.append(bytes));
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return this.readSync(into, position);
  }

  readSync(into: Uint8Array, position: number): number {
    this.#demandOpen();
    return attempt(`read ${this.path}`, () => this.#content.read(into, position));
  }

  async sync(): Promise<void> {
    this.#demandOpen();
    attempt(`write ${this.path}`, () => this.#contents.writeOut());
    try {
      await this.#storage.sync();
    } catch (cause) {
      throw new StorageError("failed", `cannot sync ${this.path}`, { cause });
    }
  }

  truncate(size: number): void {
    this.#demandOpen();
    attempt(`truncate ${this.path}`, () => this.#content.truncate(size));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
  }

  #demandOpen(): void {
    if (this.#closed) throw new StorageError("failed", `${this.path} is closed`);
  }
}
