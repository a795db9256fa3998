// Storage in memory: for tests, throw-away brokers and the simulator. Files are lists of chunks, so that
// growing never copies what is there. Same suite as `file.ts`: `tests/conformance/storage.ts`.

import { type Storage, type StorageEntry, StorageError, type StorageFile } from "./storage.ts";

const chunkBytes = 64 * 1024;

export interface MemoryStorageOptions {
  /** As a disk of this size: appends beyond it throw "full". Default: no limit. */
  readonly bytesMax?: number;
}

export function openMemoryStorage(options: MemoryStorageOptions = {}): MemoryStorage {
  return new MemoryStorage(options.bytesMax ?? Infinity);
}

export class MemoryStorage implements Storage {
  readonly root = "memory";
  /** May be changed while in use, as when somebody frees space. */
  bytesMax: number;
  /** When set, every append, sync or write throws it: a disk that went bad. */
  fault: StorageError | undefined;
  readonly #contents = new Map<string, Content>();
  #locked = false;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  list(folder: string): StorageEntry[] {
    const prefix = folder === "" ? "" : `${folder}/`;
    const entries = new Map<string, StorageEntry>();
    for (const path of this.#contents.keys()) {
      if (!path.startsWith(prefix)) continue;
      const [name = "", ...below] = path.slice(prefix.length).split("/");
      entries.set(name, { name, folder: below.length > 0 });
    }
    return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  open(path: string, options?: { create?: boolean }): StorageFile {
    let content = this.#contents.get(path);
    if (content === undefined) {
      if (!options?.create)
        throw new StorageError("missing", `cannot open ${path}: it does not exist`);
      this.#refuseIfFaulty();
      content = new Content(path);
      this.#contents.set(path, content);
    }
    return new MemoryFile(this, content);
  }

  readFile(path: string): Uint8Array | undefined {
    const content = this.#contents.get(path);
    if (content === undefined) return undefined;
    const bytes = new Uint8Array(content.size);
    content.read(bytes, 0);
    return bytes;
  }

  writeFile(path: string, bytes: Uint8Array): void {
    this.makeRoom(bytes.length - (this.#contents.get(path)?.size ?? 0));
    const content = new Content(path);
    content.append(bytes);
    this.#contents.set(path, content);
  }

  rename(from: string, to: string): void {
    this.#refuseIfFaulty();
    let found = false;
    for (const [path, content] of [...this.#contents]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      found = true;
      content.path = to + path.slice(from.length);
      this.#contents.delete(path);
      this.#contents.set(content.path, content);
    }
    if (!found) throw new StorageError("missing", `cannot rename ${from}: it does not exist`);
  }

  remove(path: string): void {
    for (const each of [...this.#contents.keys()]) {
      if (each === path || each.startsWith(`${path}/`)) this.#contents.delete(each);
    }
  }

  space(): { totalBytes: number; freeBytes: number } {
    return { totalBytes: this.bytesMax, freeBytes: Math.max(0, this.bytesMax - this.#usedBytes()) };
  }

  lock(): void {
    if (this.#locked) throw new StorageError("locked", "this memory storage is in use");
    this.#locked = true;
  }

  close(): void {
    this.#locked = false;
  }

  /** Throws unless `bytes` more fit. */
  makeRoom(bytes: number): void {
    this.#refuseIfFaulty();
    if (this.bytesMax !== Infinity && this.#usedBytes() + bytes > this.bytesMax) {
      throw new StorageError("full", `cannot add ${bytes} bytes: the memory storage is full`);
    }
  }

  #refuseIfFaulty(): void {
    if (this.fault) throw this.fault;
  }

  #usedBytes(): number {
    let bytes = 0;
    for (const content of this.#contents.values()) bytes += content.size;
    return bytes;
  }
}

class MemoryFile implements StorageFile {
  readonly #storage: MemoryStorage;
  readonly #content: Content;
  #closed = false;

  constructor(storage: MemoryStorage, content: Content) {
    this.#storage = storage;
    this.#content = content;
  }

  get path(): string {
    return this.#content.path;
  }

  get size(): number {
    return this.#content.size;
  }

  append(bytes: Uint8Array): void {
    this.#open();
    this.#storage.makeRoom(bytes.length);
    this.#content.append(bytes);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return this.readSync(into, position);
  }

  readSync(into: Uint8Array, position: number): number {
    this.#open();
    return this.#content.read(into, position);
  }

  async sync(): Promise<void> {
    this.#open();
    this.#storage.makeRoom(0);
  }

  truncate(size: number): void {
    this.#open();
    this.#content.truncate(size);
  }

  close(): void {
    this.#closed = true;
  }

  #open(): void {
    if (this.#closed) throw new StorageError("failed", `${this.path} is closed`);
  }
}

/** The bytes of one file; every chunk but the last is full. */
class Content {
  path: string;
  size = 0;
  readonly #chunks: Uint8Array[] = [];

  constructor(path: string) {
    this.path = path;
  }

  append(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length) {
      const within = this.size % chunkBytes;
      if (within === 0) this.#chunks.push(new Uint8Array(chunkBytes));
      const step = Math.min(chunkBytes - within, bytes.length - from);
      this.#chunks.at(-1)!.set(bytes.subarray(from, from + step), within);
      from += step;
      this.size += step;
    }
  }

  read(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.length, this.size - position));
    let done = 0;
    while (done < count) {
      const at = position + done;
      const within = at % chunkBytes;
      const step = Math.min(chunkBytes - within, count - done);
      into.set(this.#chunks[Math.floor(at / chunkBytes)]!.subarray(within, within + step), done);
      done += step;
    }
    return count;
  }

  truncate(size: number): void {
    if (size >= this.size) return;
    this.size = size;
    this.#chunks.length = Math.ceil(size / chunkBytes);
  }
}
