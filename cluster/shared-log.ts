// MetadataLog in one process: one store, a handle for each member. For several brokers on one machine, whose parent
// keeps the store (with files) and serves it to them, and for tests. Entries are told in order, one turn of the
// microtask queue after they were written, so that a reader never runs inside a writer's call.

import {
  AppendConflict,
  type LogEntry,
  LogUnavailable,
  type MetadataLog,
  type Sequence,
} from "./metadata-log.ts";
import { type LogFiles, StoredLog } from "./stored-log.ts";

/** As NATS servers take by default. */
const ENTRY_BYTES_MAX = 1 << 20;
/** Appends remembered for repeats; a repeat comes within seconds. */
const REMEMBERED_APPENDS_MAX = 1_000;

type Listener = Parameters<MetadataLog["follow"]>[1];

interface Follower {
  readonly listener: Listener;
  /** Newest entry given. */
  at: Sequence;
  isCaughtUp: boolean;
  isBusy: boolean;
}

interface AppendRequest {
  readonly expected: Sequence;
  readonly id: string;
  readonly bytes: Uint8Array;
}

export class SharedLogStore {
  readonly #stored: StoredLog | undefined;
  #entries: LogEntry[] = [];
  #last: Sequence = 0;
  /** By id: a repeat is told what became of the first. */
  readonly #appended = new Map<string, Sequence>();
  readonly #followers = new Set<Follower>();
  readonly #receivers = new Set<(bytes: Uint8Array) => void>();
  #writing: Promise<unknown> = Promise.resolve();
  #closed = false;
  #failure: LogUnavailable | undefined;

  /** Reads what `files` hold; without files everything lives as long as the process. */
  constructor(files?: LogFiles) {
    if (!files) return;
    this.#stored = new StoredLog(files);
    const { entries, last } = this.#stored.read();
    this.#entries = entries;
    this.#last = last;
  }

  /** One member's access. */
  open(): MetadataLog {
    return new SharedLog(this);
  }

  append(request: AppendRequest): Promise<Sequence> {
    const work = this.#writing.then(() => this.#append(request));
    this.#writing = work.catch(() => undefined);
    return work;
  }

  async trim(before: Sequence): Promise<void> {
    await this.#writing;
    if (this.#closed) return;
    const kept = this.#entries.filter(({ sequence }) => sequence >= before);
    if (kept.length === this.#entries.length) return;
    this.#entries = kept;
    this.#stored?.replace({ entries: kept, last: this.#last });
  }

  follow(from: Sequence, listener: Listener): () => void {
    const follower: Follower = { listener, at: from, isCaughtUp: false, isBusy: false };
    this.#followers.add(follower);
    queueMicrotask(() => {
      if (!this.#followers.has(follower)) return;
      if (from > this.#last) {
        follower.at = 0;
        listener.reset();
      }
      this.#feed(follower);
    });
    return () => this.#followers.delete(follower);
  }

  signal(bytes: Uint8Array): void {
    for (const receive of [...this.#receivers]) queueMicrotask(() => receive(bytes));
  }

  onSignal(receive: (bytes: Uint8Array) => void): () => void {
    const receiver = (bytes: Uint8Array) => {
      if (this.#receivers.has(receiver)) receive(bytes);
    };
    this.#receivers.add(receiver);
    return () => this.#receivers.delete(receiver);
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#closed = true;
    this.#followers.clear();
    this.#receivers.clear();
    this.#stored?.close();
  }

  async #append({ expected, id, bytes }: AppendRequest): Promise<Sequence> {
    if (this.#closed) throw new LogUnavailable("the metadata log is closed");
    if (bytes.length > ENTRY_BYTES_MAX) throw new RangeError(`entry of ${bytes.length} bytes`);
    const before = this.#appended.get(id);
    if (before !== undefined) return before;
    if (expected !== this.#last) {
      throw new AppendConflict(`the last sequence is ${this.#last}, not ${expected}`);
    }
    const entry: LogEntry = { sequence: this.#last + 1, bytes: bytes.slice() };
    await this.#store(entry);
    this.#last = entry.sequence;
    this.#entries.push(entry);
    this.#remember(id, entry.sequence);
    for (const follower of this.#followers) queueMicrotask(() => this.#feed(follower));
    return entry.sequence;
  }

  /** After a failed sync nobody knows what the disk holds: nothing more is taken. */
  async #store(entry: LogEntry): Promise<void> {
    if (this.#failure) throw this.#failure;
    try {
      await this.#stored?.append(entry);
    } catch (cause) {
      this.#failure = new LogUnavailable("the metadata log could not be written", { cause });
      throw this.#failure;
    }
  }

  /** Sequences in the store have no holes. */
  #entryAfter(sequence: Sequence): LogEntry | undefined {
    const first = this.#entries[0]?.sequence ?? 0;
    return this.#entries[Math.max(0, sequence + 1 - first)];
  }

  #remember(id: string, sequence: Sequence): void {
    this.#appended.set(id, sequence);
    if (this.#appended.size <= REMEMBERED_APPENDS_MAX) return;
    const [oldest] = this.#appended.keys();
    this.#appended.delete(oldest!);
  }

  /** A listener may end its own following, and cause entries that it is given after this one. */
  #feed(follower: Follower): void {
    if (follower.isBusy) return;
    follower.isBusy = true;
    const next = () => this.#entryAfter(follower.at);
    for (let entry = next(); entry && this.#followers.has(follower); entry = next()) {
      follower.at = entry.sequence;
      follower.listener.entry(entry);
    }
    follower.isBusy = false;
    if (follower.isCaughtUp || !this.#followers.has(follower)) return;
    follower.isCaughtUp = true;
    follower.listener.caughtUp(this.#last);
  }
}

class SharedLog implements MetadataLog {
  readonly entryBytesMax = ENTRY_BYTES_MAX;
  readonly #store: SharedLogStore;
  readonly #ends = new Set<() => void>();
  #closed = false;

  constructor(store: SharedLogStore) {
    this.#store = store;
  }

  follow(from: Sequence, listener: Listener): () => void {
    return this.#keep(this.#store.follow(from, listener));
  }

  async append(request: AppendRequest): Promise<Sequence> {
    if (this.#closed) throw new LogUnavailable("the metadata log is closed");
    return await this.#store.append(request);
  }

  trim(before: Sequence): Promise<void> {
    return this.#store.trim(before);
  }

  signal(bytes: Uint8Array): void {
    if (!this.#closed) this.#store.signal(bytes);
  }

  onSignal(receive: (bytes: Uint8Array) => void): () => void {
    return this.#keep(this.#store.onSignal(receive));
  }

  onConnection(changed: (isConnected: boolean) => void): () => void {
    changed(!this.#closed);
    return () => undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  #keep(end: () => void): () => void {
    this.#ends.add(end);
    return () => {
      this.#ends.delete(end);
      end();
    };
  }
}
