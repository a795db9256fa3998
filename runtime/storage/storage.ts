// Storage: the few things a log needs of a disk. File, memory (and later durable-object) implement it and
// pass `tests/conformance/storage.ts`. Paths are relative to the root, with "/" between folders.
//
// Appends are synchronous because a write to the page cache costs about 1.5 µs and a hop through a thread
// pool 30; only `sync` and `read` leave the event loop.

/** A file that is only appended to, truncated or read. Positions and sizes are bytes. */
export interface StorageFile {
  readonly path: string;
  /** Bytes in the file, appended ones included. */
  readonly size: number;
  /**
   * Adds bytes at the end. Throws `StorageError` "full" (what was partly written is cut off again, the file is as
   * before) or "failed".
   */
  append(bytes: Uint8Array): void;
  /** Reads up to `into.length` bytes; returns how many (less only at the end of the file). */
  read(into: Uint8Array, position: number): Promise<number>;
  /** The same, at once: for small reads and start-up. */
  readSync(into: Uint8Array, position: number): number;
  /** Resolves when all bytes appended before the call survive a power loss. Throws "failed". */
  sync(): Promise<void>;
  truncate(size: number): void;
  /** Idempotent. Reads under way end first; later calls throw. */
  close(): void;
}

export interface StorageEntry {
  readonly name: string;
  readonly folder: boolean;
}

export interface Storage {
  /** Where it is, for messages to people. */
  readonly root: string;
  /** Entries of a folder, by name; empty if the folder does not exist. */
  list(folder: string): StorageEntry[];
  /** Opens for append and read. Without `create` an absent file throws "missing". */
  open(path: string, options?: { create?: boolean }): StorageFile;
  /** Whole content, or undefined if absent. For small files: checkpoints, metadata. */
  readFile(path: string): Uint8Array | undefined;
  /** Replaces the file so that after a crash it holds the old or the new bytes, whole. Makes folders. */
  writeFile(path: string, bytes: Uint8Array): void;
  /** Renames a file or folder; atomic, durable with the next `writeFile` or `sync` in the same folder. */
  rename(from: string, to: string): void;
  /** Removes a file, or a folder with all it holds. Absent is fine. Open readers keep their bytes. */
  remove(path: string): void;
  /** Bytes of the disk below the root; what the system does not tell is Infinity. */
  space(): { totalBytes: number; freeBytes: number };
  /** Keeps other processes out until `close`. Throws "locked", naming the holder. */
  lock(): void;
  /** Closes what is open and releases the lock. */
  close(): void;
}

export type StorageFault = "full" | "failed" | "missing" | "locked" | "read-only";

/** What a disk can refuse. `fault` decides what the log does; `message` tells a person. */
export class StorageError extends Error {
  readonly fault: StorageFault;
  constructor(fault: StorageFault, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "StorageError";
    this.fault = fault;
  }
}
