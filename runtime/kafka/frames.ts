// FrameAssembler: cuts one connection's bytes into request frames (i32 size, then the message). A frame that
// lies whole inside a chunk is handled in place. One that spans chunks is gathered into the storage core's
// memory, so that its batches are checked there and written to the file from there without another copy.
// The frame's bytes are valid only while `handle` runs.

import type { ByteBudget } from "./byte-budget.ts";
import { MalformedRequest } from "./malformed-request.ts";
import { Reader } from "./reader.ts";

/** The part of the storage core that gathering needs. */
export interface FrameMemory {
  alloc(length: number): number;
  free(at: number): void;
  bytes(at: number, length: number): Uint8Array;
}

export interface FrameOptions {
  readonly memory: FrameMemory;
  readonly budget: ByteBudget;
  readonly requestBytesMax: number | (() => number);
  /** Handles one frame; false stops the assembler until `resume`. Throws to end the connection. */
  readonly handle: (frame: Reader) => boolean;
  /** The budget had no room and now has: call `resume`. */
  readonly ready: () => void;
}

interface Gathering {
  readonly length: number;
  filled: number;
  /** Address in the core's memory, or bytes of our own where the core's memory is full. */
  readonly place: number | Uint8Array;
}

const sizeBytes = 4;
/** API key, version and correlation id. */
const frameBytesMin = 8;

export class FrameAssembler {
  readonly #options: FrameOptions;
  /** Frame size known but not yet allowed by the budget. */
  #cancelWait: (() => void) | undefined;
  #granted = 0;
  #gathering: Gathering | undefined;
  /** Bytes of the size prefix seen so far, and how many. */
  #size = 0;
  #sizeFilled = 0;
  #stopped = false;
  #closed = false;
  /** Own copies of what arrived while stopped. */
  #backlog: Uint8Array[] = [];

  constructor(options: FrameOptions) {
    this.#options = options;
  }

  /** True in the middle of a frame: silence now is a stall. */
  get partial(): boolean {
    return this.#gathering !== undefined || this.#sizeFilled > 0;
  }

  /** True while pushed bytes are kept rather than handled. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** `chunk` is not needed after the call. */
  push(chunk: Uint8Array): void {
    if (this.#closed) return;
    if (this.#stopped) this.#keep(chunk, 0);
    else this.#consume(chunk);
  }

  /** Goes on with what was kept; may stop again. */
  resume(): void {
    if (this.#cancelWait || this.#closed) return;
    this.#stopped = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const bytes of backlog) this.#options.budget.unkeep(bytes.length);
    for (const bytes of backlog) this.push(bytes);
  }

  /** Gives back all memory and budget. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#stopped = true;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    if (this.#granted > 0) this.#options.budget.give(this.#granted);
    this.#granted = 0;
    if (this.#gathering) this.#discard(this.#gathering);
    this.#gathering = undefined;
    for (const bytes of this.#backlog) this.#options.budget.unkeep(bytes.length);
    this.#backlog = [];
  }

  #consume(bytes: Uint8Array): void {
    const reader = new Reader(bytes, 0, 0);
    let at = 0;
    while (at < bytes.length && !this.#stopped) {
      if (this.#gathering) at = this.#gather(this.#gathering, bytes, at);
      else if (this.#granted > 0) this.#beginGranted();
      else at = this.#next(reader, at);
    }
    if (at < bytes.length) this.#keep(bytes, at);
  }

  /** From a frame's start, or from within its size. */
  #next(reader: Reader, from: number): number {
    const { bytes } = reader;
    let at = from;
    while (this.#sizeFilled < sizeBytes) {
      if (at === bytes.length) return at;
      this.#size = (this.#size << 8) | bytes[at++]!;
      this.#sizeFilled++;
    }
    const length = this.#checkedSize();
    if (length <= bytes.length - at) {
      this.#sizeFilled = 0;
      this.#size = 0;
      reader.select(at, at + length);
      this.#handle(reader);
      return at + length;
    }
    this.#reserve(length);
    return at;
  }

  #checkedSize(): number {
    const { requestBytesMax: given } = this.#options;
    const requestBytesMax = typeof given === "number" ? given : given();
    const size = this.#size;
    if (size >= frameBytesMin && size <= requestBytesMax) return size;
    const hint = otherProtocol(size);
    throw new MalformedRequest(
      `a request of ${size} bytes, ${frameBytesMin} to ${requestBytesMax} are accepted${hint}`,
    );
  }

  #reserve(length: number): void {
    const cancel = this.#options.budget.take(length, () => {
      this.#cancelWait = undefined;
      this.#granted = length;
      this.#options.ready();
    });
    if (cancel) {
      this.#cancelWait = cancel;
      this.#stopped = true;
    } else {
      this.#granted = length;
      this.#beginGranted();
    }
  }

  #beginGranted(): void {
    const length = this.#granted;
    this.#sizeFilled = 0;
    this.#size = 0;
    this.#gathering = { length, filled: 0, place: this.#allocate(length) };
    this.#granted = 0;
  }

  #allocate(length: number): number | Uint8Array {
    try {
      return this.#options.memory.alloc(length);
    } catch {
      return new Uint8Array(length);
    }
  }

  #gather(frame: Gathering, bytes: Uint8Array, from: number): number {
    const count = Math.min(frame.length - frame.filled, bytes.length - from);
    this.#view(frame, frame.filled, count).set(bytes.subarray(from, from + count));
    frame.filled += count;
    if (frame.filled === frame.length) {
      this.#gathering = undefined;
      try {
        this.#handle(new Reader(this.#view(frame, 0, frame.length)));
      } finally {
        this.#discard(frame);
      }
    }
    return from + count;
  }

  #handle(reader: Reader): void {
    if (!this.#options.handle(reader)) this.#stopped = true;
  }

  #view({ place }: Gathering, at: number, length: number): Uint8Array {
    return typeof place === "number"
      ? this.#options.memory.bytes(place + at, length)
      : place.subarray(at, at + length);
  }

  #discard({ place, length }: Gathering): void {
    if (typeof place === "number") this.#options.memory.free(place);
    this.#options.budget.give(length);
  }

  #keep(bytes: Uint8Array, from: number): void {
    if (this.#closed) return;
    this.#backlog.push(bytes.slice(from));
    this.#options.budget.keep(bytes.length - from);
  }
}

/** Says what the first four bytes are when a browser or a TLS client knocks at this door. */
function otherProtocol(size: number): string {
  const text = String.fromCharCode(
    size >>> 24,
    (size >>> 16) & 255,
    (size >>> 8) & 255,
    size & 255,
  );
  if (/^(GET|PUT|HEAD|POST|OPTI|DELE|PATC)/.test(text)) return " (this is HTTP: wrong port?)";
  return size >>> 16 === 0x1603 ? " (this is TLS: this listener is plaintext)" : "";
}
