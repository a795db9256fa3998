// What is on a simulated disk, and what a crash leaves of it. The page cache holds all that was written, the disk what
// was synced and any part of the rest, torn at sectors, sometimes with garbage; names change durably with a sync.

import type { SeededRandom } from "./seeded-random.ts";

/** How a process ended: the page cache stays, or is lost with the power. */
export type CrashKind = "kill" | "power";

const sectors = [512, 4_096] as const;

export class Inode {
  path: string;
  bytes: Uint8Array;
  size = 0;
  /** Below it everything survives a power loss … */
  syncedSize = 0;
  /** … unless it was cut off and not synced since: then that may come back. */
  cut: { readonly at: number; readonly bytes: Uint8Array } | undefined;
  /** Pages that a failed sync gave up: in the page cache until the power is lost, never on the disk. */
  hole: { readonly from: number; readonly end: number } | undefined;
  readonly #syncing = new Set<{ size: number }>();

  constructor(path: string, capacity = 256) {
    this.path = path;
    this.bytes = new Uint8Array(capacity);
  }

  append(added: Uint8Array): void {
    const size = this.size + added.length;
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.size));
      this.bytes = grown;
    }
    this.bytes.set(added, this.size);
    this.size = size;
  }

  truncate(size: number): void {
    if (size >= this.size) return;
    if (size < this.syncedSize) {
      const lost = this.bytes.slice(size, this.syncedSize);
      // While a cut is not synced, what is synced ends there.
      this.cut = { at: size, bytes: this.cut ? joined(lost, this.cut.bytes) : lost };
      this.syncedSize = size;
    }
    this.size = size;
    if (this.hole && size <= this.hole.from) this.hole = undefined;
    for (const sync of this.#syncing) sync.size = Math.min(sync.size, size);
  }

  /** What is here now is on its way to the disk; the function says that it has arrived. */
  beginSync(): () => void {
    const sync = { size: this.size };
    this.#syncing.add(sync);
    return () => {
      this.#syncing.delete(sync);
      this.syncedSize = Math.max(this.syncedSize, sync.size);
      this.cut = undefined;
    };
  }

  /** A sync failed: the system takes for written what it could not write. */
  forget(): void {
    if (this.size > this.syncedSize) this.hole ??= { from: this.syncedSize, end: this.size };
  }

  /** The file as the next process finds it. */
  after(kind: CrashKind, random: SeededRandom): Inode {
    const next = new Inode(this.path, Math.max(256, this.size));
    if (kind === "kill") {
      next.append(this.bytes.subarray(0, this.size));
      next.syncedSize = this.syncedSize;
      next.cut = this.cut;
      next.hole = this.hole;
      return next;
    }
    if (this.cut && random.chance(0.5)) {
      next.append(this.bytes.subarray(0, this.cut.at));
      next.append(this.cut.bytes);
    } else {
      next.append(this.bytes.subarray(0, this.#keptSize(random)));
      if (next.size > this.syncedSize) this.#spoil(next, random);
    }
    if (this.hole) next.bytes.fill(0, this.hole.from, Math.min(this.hole.end, next.size));
    next.syncedSize = next.size;
    return next;
  }

  #keptSize(random: SeededRandom): number {
    const { size, syncedSize } = this;
    if (size === syncedSize || random.chance(0.3)) return syncedSize;
    if (random.chance(0.25)) return size;
    const sector = random.pick(sectors);
    const kept = syncedSize + random.integer(size - syncedSize + 1);
    return Math.max(syncedSize, Math.floor(kept / sector) * sector);
  }

  /**
   * Sectors that were on their way, never below what was synced: zeros, or garbage where checksums tell. A single bit
   * would not do: Kafka's checksum leaves out a batch's leader epoch. Small files are one sector: whole, zeros, absent.
   */
  #spoil(next: Inode, random: SeededRandom): void {
    const from = this.syncedSize;
    if (random.chance(0.25)) {
      const zeroFrom = from + random.integer(next.size - from);
      const sectorFrom = Math.floor(zeroFrom / sectors[0]) * sectors[0];
      next.bytes.fill(0, Math.max(from, sectorFrom), next.size);
    } else if (this.path.endsWith(".log") && random.chance(0.4)) {
      const at = from + random.integer(next.size - from);
      const end = Math.min(next.size, (Math.floor(at / sectors[0]) + 1) * sectors[0]);
      next.bytes.set(random.bytes(end - at), at);
    }
  }
}

/** One change of names that a power loss may undo. */
interface NameChange {
  readonly path: string;
  readonly before: Inode | undefined;
}

export class DiskState {
  files = new Map<string, Inode>();
  /** In order; those of one step together. */
  #pending: NameChange[][] = [];

  /** Files and names as the next process finds them. */
  after(kind: CrashKind, random: SeededRandom): DiskState {
    const names = new Map(this.files);
    const undone = kind === "power" ? random.integer(this.#pending.length + 1) : 0;
    for (const step of this.#pending.slice(this.#pending.length - undone).reverse()) {
      for (const { path, before } of step) {
        if (before) names.set(path, before);
        else names.delete(path);
      }
    }
    const next = new DiskState();
    for (const path of [...names.keys()].sort()) {
      const inode = names.get(path)!.after(kind, random);
      inode.path = path;
      next.files.set(path, inode);
    }
    return next;
  }

  usedBytes(): number {
    let bytes = 0;
    for (const { size } of this.files.values()) bytes += size;
    return bytes;
  }

  /** Paths to files, or to nothing; lost with the power until their folder is synced. */
  change(files: readonly (readonly [path: string, inode: Inode | undefined])[]): void {
    this.#pending.push(files.map(([path]) => ({ path, before: this.files.get(path) })));
    for (const [path, inode] of files) {
      if (!inode) this.files.delete(path);
      else {
        inode.path = path;
        this.files.set(path, inode);
      }
    }
  }

  /** The names in a folder are durable; so is all that was changed before. */
  syncFolder(folder: string): void {
    const isOf = ({ path }: NameChange) => folderOf(path) === folder;
    const last = this.#pending.findLastIndex((step) => step.some(isOf));
    this.#pending.splice(0, last + 1);
  }
}

export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
