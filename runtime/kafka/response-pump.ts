// ResponsePump: sends what a writer holds, [bytes, records, bytes, …], to one connection. File data is read
// into a few buffers ahead of the socket and written in order; each buffer comes back by the write callback,
// so an answer of any size needs a bounded amount of memory. Records are released when their last byte was
// taken by the socket or the connection is gone, exactly once.

import type { FileRange, Records } from "../records.ts";
import { ShortRead } from "./copied-records.ts";
import { ownBufferBytes, type PumpBuffers } from "./pump-buffers.ts";
import type { Attachment } from "./writer.ts";

/** An answer's fields before its records are about 100 bytes; a buffer has room for these and much of a file. */
const prefixBytesMax = 4096;
const nothing = new Uint8Array(0);

/** A buffer of this connection; `shared` ones go back to all. */
interface Lease {
  readonly bytes: Uint8Array;
  readonly shared: boolean;
  /** The file read into it is under way: the memory is in use even when the connection is gone. */
  reading: boolean;
  ended: boolean;
}

type Ahead =
  | { readonly bytes: Uint8Array }
  | { readonly lease: Lease; readonly length: number; readonly read: Promise<void> };

/** Queues bytes on the socket; `written` runs when they are no longer needed. */
export type Write = (bytes: Uint8Array, written: (() => void) | undefined) => void;

export class ResponsePump {
  readonly #write: Write;
  readonly #buffers: PumpBuffers;
  readonly #aheadMax: number;
  readonly #leases = new Set<Lease>();
  readonly #unreleased = new Set<Records>();
  #own: Lease | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(write: Write, buffers: PumpBuffers, aheadMax: number) {
    this.#write = write;
    this.#buffers = buffers;
    this.#aheadMax = aheadMax;
  }

  /**
   * Resolves when all is handed to the socket. `sent` runs when the chunks' own bytes are no longer needed.
   * Rejects if a file cannot be read: the answer is cut in the middle then and the connection must end.
   */
  async send(chunks: readonly Attachment[], sent: () => void): Promise<void> {
    const records = chunks.filter((chunk): chunk is Records => !(chunk instanceof Uint8Array));
    for (const owned of records) this.#unreleased.add(owned);
    const finish = () => {
      this.#release(records);
      sent();
    };
    const ahead: Ahead[] = [];
    const source = new Source(chunks);
    while (!this.#closed && (ahead.length > 0 || !source.ended)) {
      this.#readAhead(source, ahead);
      const next = ahead.shift();
      const last = source.ended && ahead.length === 0;
      if (next === undefined) await this.#returned();
      else await this.#pass(next, last ? finish : undefined);
    }
    if (this.#closed) this.#release(records);
  }

  /** Releases everything; `send` under way ends soon. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const lease of this.#leases) if (!lease.reading) this.#end(lease);
    this.#release(this.#unreleased);
    this.#wake?.();
  }

  #readAhead(source: Source, ahead: Ahead[]): void {
    while (ahead.length < this.#aheadMax && !source.ended) {
      const prefix = source.prefix;
      if (prefix === undefined) {
        ahead.push({ bytes: source.takeBytes() });
        continue;
      }
      const lease = this.#lease(prefix.length + source.rangeLeft);
      if (!lease) return;
      lease.bytes.set(prefix);
      const range = source.takeRange(lease.bytes.length - prefix.length);
      const read = this.#read(lease, prefix.length, range);
      // A failure is met when its turn comes; until then it is not unhandled.
      read.catch(() => {});
      ahead.push({ lease, length: prefix.length + range.length, read });
    }
  }

  async #read(lease: Lease, at: number, { file, position, length }: FileRange): Promise<void> {
    try {
      const read = await file.read(lease.bytes.subarray(at, at + length), position);
      if (read !== length) throw new ShortRead(file.path, length, read);
    } finally {
      lease.reading = false;
      if (this.#closed) this.#end(lease);
    }
  }

  async #pass(next: Ahead, finish: (() => void) | undefined): Promise<void> {
    if ("bytes" in next) {
      this.#write(next.bytes, finish);
      return;
    }
    await next.read;
    if (this.#closed) return;
    const { lease, length } = next;
    this.#write(lease.bytes.subarray(0, length), () => {
      this.#end(lease);
      this.#wake?.();
      finish?.();
    });
  }

  #lease(length: number): Lease | undefined {
    if (this.#leases.size >= this.#aheadMax) return undefined;
    const shared = this.#buffers.take(length);
    if (shared) return this.#hold({ bytes: shared, shared: true, reading: true, ended: false });
    if (this.#own && !this.#own.ended) return undefined;
    const bytes = this.#own?.bytes ?? new Uint8Array(ownBufferBytes);
    this.#own = { bytes, shared: false, reading: true, ended: false };
    return this.#hold(this.#own);
  }

  #hold(lease: Lease): Lease {
    this.#leases.add(lease);
    return lease;
  }

  #end(lease: Lease): void {
    if (lease.ended) return;
    lease.ended = true;
    this.#leases.delete(lease);
    if (!lease.shared) return;
    if (this.#closed) this.#buffers.forget();
    else this.#buffers.give(lease.bytes);
  }

  /** Until a buffer of this connection comes back. There is one out, or a lease would have been had. */
  #returned(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #release(records: Iterable<Records>): void {
    for (const owned of records) if (this.#unreleased.delete(owned)) owned.release();
  }
}

/**
 * Walks the chunks: bytes as they are, file ranges in pieces of the size asked for. Few bytes before a range are
 * its prefix: they travel in the same buffer, which saves a system call and a packet.
 */
class Source {
  readonly #parts: (Uint8Array | FileRange)[];
  #next = 0;
  /** Bytes of the current file range that were taken. */
  #taken = 0;

  constructor(chunks: readonly Attachment[]) {
    this.#parts = chunks.flatMap((chunk) => (chunk instanceof Uint8Array ? [chunk] : chunk.parts));
  }

  get ended(): boolean {
    return this.#next >= this.#parts.length;
  }

  /** Bytes that go in front of the next piece of a file, maybe none; undefined if no such piece is next. */
  get prefix(): Uint8Array | undefined {
    const part = this.#parts[this.#next];
    if (!(part instanceof Uint8Array)) return nothing;
    const isShort = part.length <= prefixBytesMax;
    const isBeforeRange = this.#next + 1 < this.#parts.length && !this.#isBytes(this.#next + 1);
    return isShort && isBeforeRange ? part : undefined;
  }

  takeBytes(): Uint8Array {
    return this.#parts[this.#next++] as Uint8Array;
  }

  /** Bytes of the file range that is next, behind its prefix if it has one, and not taken. */
  get rangeLeft(): number {
    return this.#range.length - this.#taken;
  }

  takeRange(lengthMax: number): FileRange {
    const { file, position, length } = this.#range;
    if (this.#isBytes(this.#next)) this.#next++;
    const range = {
      file,
      position: position + this.#taken,
      length: Math.min(lengthMax, length - this.#taken),
    };
    this.#taken += range.length;
    if (this.#taken === length) {
      this.#taken = 0;
      this.#next++;
    }
    return range;
  }

  get #range(): FileRange {
    return this.#parts[this.#isBytes(this.#next) ? this.#next + 1 : this.#next] as FileRange;
  }

  #isBytes(index: number): boolean {
    return this.#parts[index] instanceof Uint8Array;
  }
}
