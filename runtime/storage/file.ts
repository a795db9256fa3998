// Storage on a file system, through node:fs, which Node, Deno and Bun all have. Appends and small reads are
// synchronous, large reads and fdatasync go to the thread pool. Open descriptors are bounded: the least
// recently used idle one is closed and opened again when it is needed.

import * as fs from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { attempt, errno, failure } from "./file-faults.ts";
import { acquireLock } from "./file-lock.ts";
import { removeTree } from "./file-removal.ts";
import { type Storage, type StorageEntry, StorageError, type StorageFile } from "./storage.ts";

const mebibyte = 1024 * 1024;
/**
 * So far behind the end of a file that grows, bytes are still in the page cache, as far as memory is not short.
 * On a single core the thread pool cannot copy beside us and only costs: then more is read at once.
 */
const recentBytes = availableParallelism() > 1 ? 16 * mebibyte : totalmem() / 8;
/** Descriptors kept open at most; busy ones (a read or sync under way) do not count against it. */
const openFilesMax = 4096;

export function openFileStorage(root: string): Storage {
  return new FileStorage(root);
}

class FileStorage implements Storage {
  readonly root: string;
  /** Open files by the first folder of their path: a rename must not ask those of all partitions. */
  readonly #files = new Map<string, Set<DiskFile>>();
  readonly #descriptors = new Descriptors();
  #unlock: (() => void) | undefined;

  constructor(root: string) {
    this.root = root;
    attempt(`create the data folder ${root}`, () => fs.mkdirSync(root, { recursive: true }));
  }

  list(folder: string): StorageEntry[] {
    try {
      return fs
        .readdirSync(join(this.root, folder), { withFileTypes: true })
        .map((entry) => ({ name: entry.name, folder: entry.isDirectory() }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (cause) {
      if (errno(cause) === "ENOENT") return [];
      throw failure(`list ${folder || this.root}`, cause);
    }
  }

  open(path: string, options?: { create?: boolean }): StorageFile {
    const file = new DiskFile(this.root, path, this.#descriptors, options?.create ?? false);
    this.#enter(file);
    return file;
  }

  readFile(path: string): Uint8Array | undefined {
    try {
      return fs.readFileSync(join(this.root, path));
    } catch (cause) {
      if (errno(cause) === "ENOENT") return undefined;
      throw failure(`read ${path}`, cause);
    }
  }

  writeFile(path: string, bytes: Uint8Array): void {
    const full = join(this.root, path);
    const temporary = `${full}.tmp`;
    attempt(`write ${path}`, () => {
      fs.mkdirSync(dirname(full), { recursive: true });
      const fd = fs.openSync(temporary, "w");
      try {
        writeAll(fd, bytes, 0);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(temporary, full);
      syncFolder(dirname(full));
    });
  }

  rename(from: string, to: string): void {
    attempt(`rename ${from} to ${to}`, () =>
      fs.renameSync(join(this.root, from), join(this.root, to)),
    );
    for (const file of this.#files.get(topOf(from)) ?? []) {
      if (!file.moved(from, to)) continue;
      file.onClose();
      this.#enter(file);
    }
  }

  remove(path: string): void {
    attempt(`remove ${path}`, () => removeTree(join(this.root, path)));
  }

  space(): { totalBytes: number; freeBytes: number } {
    try {
      const { blocks, bavail, bsize } = fs.statfsSync(this.root);
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    } catch {
      return { totalBytes: Infinity, freeBytes: Infinity };
    }
  }

  lock(): void {
    this.#unlock ??= acquireLock(join(this.root, ".lock"));
  }

  close(): void {
    for (const files of [...this.#files.values()]) for (const file of [...files]) file.close();
    this.#unlock?.();
    this.#unlock = undefined;
  }

  #enter(file: DiskFile): void {
    const top = topOf(file.path);
    const files = this.#files.get(top) ?? new Set();
    this.#files.set(top, files.add(file));
    file.onClose = () => {
      files.delete(file);
      if (files.size === 0) this.#files.delete(top);
    };
  }
}

class DiskFile implements StorageFile {
  path: string;
  size: number;
  onClose: () => void = () => {};
  readonly #root: string;
  readonly #descriptors: Descriptors;
  #fd = -1;
  /** Reads and syncs under way: the descriptor must stay. */
  #busy = 0;
  #closed = false;
  /** From here on the file was written by this process. */
  #appendedFrom = Infinity;
  /** The folder's entry for this file is not yet known to be durable. */
  #isNew = false;

  constructor(root: string, path: string, descriptors: Descriptors, create: boolean) {
    this.#root = root;
    this.path = path;
    this.#descriptors = descriptors;
    const fd = this.#open(create);
    this.size = attempt(`stat ${path}`, () => fs.fstatSync(fd).size);
    this.#isNew = create && this.size === 0;
  }

  append(bytes: Uint8Array): void {
    const fd = this.#descriptor();
    if (this.#appendedFrom === Infinity) this.#appendedFrom = this.size;
    try {
      writeAll(fd, bytes, this.size);
    } catch (cause) {
      this.#cutTornTail(fd);
      throw failure(`append to ${this.path}`, cause);
    }
    this.size += bytes.length;
  }

  /** What was appended lately is read at once: the way through the thread pool would take longer. */
  async read(into: Uint8Array, position: number): Promise<number> {
    const isRecent = position >= Math.max(this.#appendedFrom, this.size - recentBytes);
    return isRecent ? this.readSync(into, position) : this.#readInPool(into, position);
  }

  #readInPool(into: Uint8Array, position: number): Promise<number> {
    const fd = this.#descriptor();
    this.#busy++;
    return new Promise((resolve, reject) => {
      const done = (cause: unknown, count: number) => {
        this.#idle();
        if (cause) reject(failure(`read ${this.path}`, cause));
        else resolve(count);
      };
      readFully(fd, into, position, 0, done);
    });
  }

  readSync(into: Uint8Array, position: number): number {
    const fd = this.#descriptor();
    let count = 0;
    try {
      while (count < into.length) {
        const step = fs.readSync(fd, into, count, into.length - count, position + count);
        if (step === 0) break;
        count += step;
      }
    } catch (cause) {
      throw failure(`read ${this.path}`, cause);
    }
    return count;
  }

  sync(): Promise<void> {
    const fd = this.#descriptor();
    this.#busy++;
    return new Promise((resolve, reject) => {
      fs.fdatasync(fd, (cause) => {
        this.#idle();
        if (cause) return reject(failure(`sync ${this.path}`, cause));
        try {
          this.#syncFolderOnce();
        } catch (folderCause) {
          return reject(failure(`sync the folder of ${this.path}`, folderCause));
        }
        resolve();
      });
    });
  }

  truncate(size: number): void {
    const fd = this.#descriptor();
    attempt(`truncate ${this.path}`, () => fs.ftruncateSync(fd, size));
    this.size = size;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onClose();
    if (this.#busy === 0) this.releaseDescriptor();
  }

  /** Follows a rename of the file or of a folder above it; false when neither was renamed. */
  moved(from: string, to: string): boolean {
    const isIt = this.path === from || this.path.startsWith(`${from}/`);
    if (isIt) this.path = to + this.path.slice(from.length);
    return isIt;
  }

  /** Called by `Descriptors` when it needs room; false while the descriptor is in use. */
  releaseDescriptor(): boolean {
    if (this.#busy > 0) return false;
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
    this.#descriptors.forget(this);
    return true;
  }

  #descriptor(): number {
    if (this.#closed) throw new StorageError("failed", `${this.path} is closed`);
    if (this.#fd < 0) return this.#open(false);
    this.#descriptors.touch(this);
    return this.#fd;
  }

  #open(create: boolean): number {
    const full = join(this.#root, this.path);
    const flags = fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0);
    try {
      this.#fd = this.#descriptors.open(full, flags);
    } catch (cause) {
      if (!create || errno(cause) !== "ENOENT") throw failure(`open ${this.path}`, cause);
      attempt(`create ${this.path}`, () => {
        fs.mkdirSync(dirname(full), { recursive: true });
        this.#fd = this.#descriptors.open(full, flags);
      });
    }
    this.#descriptors.touch(this);
    return this.#fd;
  }

  #idle(): void {
    this.#busy--;
    if (this.#closed && this.#busy === 0) this.releaseDescriptor();
  }

  /** A failed write may have left part of itself; what follows must begin where this one did. */
  #cutTornTail(fd: number): void {
    try {
      fs.ftruncateSync(fd, this.size);
    } catch {
      // The disk refuses that too: recovery cuts the tail at the next start.
    }
  }

  #syncFolderOnce(): void {
    if (!this.#isNew) return;
    const folder = dirname(join(this.#root, this.path));
    syncFolder(folder);
    syncFolder(dirname(folder));
    this.#isNew = false;
  }
}

/** The open descriptors in order of use: a Map keeps insertion order, the first is the least recent. */
class Descriptors {
  readonly #used = new Map<DiskFile, true>();
  #max = openFilesMax;

  open(path: string, flags: number): number {
    if (this.#used.size >= this.#max) this.#makeRoom(this.#used.size - this.#max + 1);
    try {
      return fs.openSync(path, flags, 0o644);
    } catch (cause) {
      if (errno(cause) !== "EMFILE" || this.#used.size === 0) throw cause;
      // The system allows fewer than we thought: keep to three quarters of what was reached.
      this.#max = Math.max(16, Math.floor(this.#used.size * 0.75));
      this.#makeRoom(this.#used.size - this.#max);
      return fs.openSync(path, flags, 0o644);
    }
  }

  touch(file: DiskFile): void {
    if (this.#used.size > this.#max / 2) this.#used.delete(file);
    this.#used.set(file, true);
  }

  forget(file: DiskFile): void {
    this.#used.delete(file);
  }

  #makeRoom(count: number): void {
    let closed = 0;
    for (const file of this.#used.keys()) {
      if (closed >= count) return;
      if (file.releaseDescriptor()) closed++;
    }
  }
}

function topOf(path: string): string {
  const end = path.indexOf("/");
  return end < 0 ? path : path.slice(0, end);
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += fs.writeSync(fd, bytes, written, bytes.length - written, position + written);
  }
}

function readFully(
  fd: number,
  into: Uint8Array,
  position: number,
  count: number,
  done: (cause: unknown, count: number) => void,
): void {
  fs.read(fd, into, count, into.length - count, position + count, (cause, step) => {
    if (cause) return done(cause, count);
    const now = count + step;
    if (step === 0 || now === into.length) return done(null, now);
    readFully(fd, into, position, now, done);
  });
}

/** Makes renames and creations in a folder durable. Windows cannot open folders; there it is skipped. */
function syncFolder(folder: string): void {
  let fd: number;
  try {
    fd = fs.openSync(folder, "r");
  } catch (cause) {
    if (errno(cause) === "EISDIR" || errno(cause) === "EPERM" || errno(cause) === "EACCES") return;
    throw cause;
  }
  try {
    fs.fsyncSync(fd);
  } catch (cause) {
    if (errno(cause) !== "EINVAL" && errno(cause) !== "EPERM") throw cause;
  } finally {
    fs.closeSync(fd);
  }
}
