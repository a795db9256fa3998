// The disk of one process as Storage: slow, full, broken, and with a chance to die between two steps of one turn.
// What survives is decided in `disk-state.ts`.

import {
  type Storage,
  type StorageEntry,
  StorageError,
  type StorageFile,
} from "../../runtime/storage/storage.ts";
import { type CrashKind, type DiskState, folderOf, Inode } from "./disk-state.ts";
import type { SimProcess } from "./process.ts";
import { Kind } from "./scheduler.ts";

/** What a machine's disk does to its process; stays over restarts. */
export interface DiskFaults {
  syncMs: readonly [from: number, to: number];
  isFull: boolean;
  /** So many of the next syncs fail, and what they had to write never gets to the disk. */
  syncsToFail: number;
  isBroken: boolean;
}

const usualSyncMs = [0.2, 2] as const;
const diskBytes = 1 << 30;

export function healthyDisk(): DiskFaults {
  return { syncMs: usualSyncMs, isFull: false, syncsToFail: 0, isBroken: false };
}

export class SimDisk implements Storage {
  readonly root: string;
  readonly process: SimProcess;
  readonly faults: DiskFaults;
  state: DiskState;
  /** Told of each file that got shorter. */
  onCut: ((path: string) => void) | undefined;
  #crash: { steps: number; kind: CrashKind; die: () => void } | undefined;
  /** What the machine's disk held when the process died. */
  #left: DiskState | undefined;

  constructor(process: SimProcess, state: DiskState, faults: DiskFaults) {
    this.process = process;
    this.root = process.host.name;
    this.state = state;
    this.faults = faults;
  }

  /** The process dies before its step number `steps` from now on: in the middle of whatever it is doing. */
  crashAt(steps: number, kind: CrashKind, die: () => void): void {
    this.#crash = { steps, kind, die };
  }

  /** A crash that has not come yet will not come. */
  disarm(): void {
    this.#crash = undefined;
  }

  /** What the next process finds. */
  after(kind: CrashKind): DiskState {
    this.#left ??= this.state.after(kind, this.process.random);
    return this.#left;
  }

  list(folder: string): StorageEntry[] {
    const prefix = folder === "" ? "" : `${folder}/`;
    const entries = new Map<string, StorageEntry>();
    for (const path of this.state.files.keys()) {
      if (!path.startsWith(prefix)) continue;
      const end = path.indexOf("/", prefix.length);
      const name = path.slice(prefix.length, end < 0 ? undefined : end);
      entries.set(name, { name, folder: end >= 0 });
    }
    return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  open(path: string, options?: { create?: boolean }): StorageFile {
    let inode = this.state.files.get(path);
    if (inode === undefined) {
      if (!options?.create)
        throw new StorageError("missing", `cannot open ${path}: it is not there`);
      this.step(0);
      inode = new Inode(path);
      this.state.change([[path, inode]]);
    }
    return new SimFile(this, inode);
  }

  readFile(path: string): Uint8Array | undefined {
    const inode = this.state.files.get(path);
    return inode?.bytes.slice(0, inode.size);
  }

  writeFile(path: string, bytes: Uint8Array): void {
    this.step(bytes.length);
    const inode = new Inode(path, bytes.length);
    inode.append(bytes);
    inode.beginSync()();
    this.state.change([[path, inode]]);
    this.state.syncFolder(folderOf(path));
  }

  rename(from: string, to: string): void {
    this.step(0);
    const moved = this.#below(from);
    if (moved.length === 0)
      throw new StorageError("missing", `cannot rename ${from}: it is not there`);
    this.state.change([
      ...moved.map(([path]) => [path, undefined] as const),
      ...moved.map(([path, inode]) => [to + path.slice(from.length), inode] as const),
    ]);
  }

  remove(path: string): void {
    const gone = this.#below(path);
    if (gone.length === 0) return;
    this.step(0);
    this.state.change(gone.map(([each]) => [each, undefined] as const));
  }

  space(): { totalBytes: number; freeBytes: number } {
    const freeBytes = this.faults.isFull ? 0 : diskBytes - this.state.usedBytes();
    return { totalBytes: diskBytes, freeBytes };
  }

  lock(): void {}

  close(): void {}

  /** One change of the disk: here it refuses, or the process ends. */
  step(bytes: number): void {
    if (this.#crash && this.process.isAlive && --this.#crash.steps < 0) {
      this.after(this.#crash.kind);
      this.#crash.die();
    }
    if (this.faults.isBroken) throw new StorageError("failed", "the disk is broken");
    if (this.faults.isFull && bytes > 0) throw new StorageError("full", "the disk is full");
  }

  #below(path: string): (readonly [string, Inode])[] {
    return [...this.state.files].filter(([each]) => each === path || each.startsWith(`${path}/`));
  }
}

class SimFile implements StorageFile {
  readonly #disk: SimDisk;
  readonly #inode: Inode;
  #isClosed = false;

  constructor(disk: SimDisk, inode: Inode) {
    this.#disk = disk;
    this.#inode = inode;
  }

  get path(): string {
    return this.#inode.path;
  }

  get size(): number {
    return this.#inode.size;
  }

  append(bytes: Uint8Array): void {
    this.#open();
    this.#disk.step(bytes.length);
    this.#inode.append(bytes);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return this.readSync(into, position);
  }

  readSync(into: Uint8Array, position: number): number {
    this.#open();
    const count = Math.max(0, Math.min(into.length, this.#inode.size - position));
    into.set(this.#inode.bytes.subarray(position, position + count));
    return count;
  }

  sync(): Promise<void> {
    this.#open();
    const { process, faults, state } = this.#disk;
    const synced = this.#inode.beginSync();
    const [fromMs, toMs] = faults.syncMs;
    const delayMs = process.random.between(fromMs, toMs);
    return new Promise((resolve, reject) => {
      process.scheduler.after(delayMs, process, Kind.disk, () => {
        try {
          this.#disk.step(0);
          if (faults.syncsToFail > 0) {
            faults.syncsToFail--;
            this.#inode.forget();
            throw new StorageError("failed", `cannot sync ${this.path}: input/output error`);
          }
          synced();
          state.syncFolder(folderOf(this.#inode.path));
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  truncate(size: number): void {
    this.#open();
    this.#disk.step(0);
    this.#inode.truncate(size);
    this.#disk.onCut?.(this.#inode.path);
  }

  close(): void {
    this.#isClosed = true;
  }

  #open(): void {
    if (this.#isClosed) throw new StorageError("failed", `${this.path} is closed`);
  }
}
