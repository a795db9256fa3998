// Frames: cuts the byte stream of a connection into Kafka's length-prefixed messages. Each frame gets memory of
// its own, because what is decoded from it are views; unless its reader says that it needs one at a time.
// Only `broker-connection.ts` uses it.

/** Far above any answer a client asks for; a larger size means that the peer does not speak Kafka. */
export const frameBytesMax = 256 * 1024 * 1024;

/** Below this a copy costs less than a read of its own. */
const inPlaceBytesMin = 16 * 1024;

/** Where a frame of so many bytes goes. */
export type FrameMemory = (size: number) => Uint8Array;

/** Larger frames get memory of their own, so that a rare one is not kept. */
const reusedBytesMax = 4 * 1024 * 1024;
const reusedBytesMin = 16 * 1024;

/**
 * The same memory for every frame, for who has finished with one before it asks for the next: memory that is
 * made anew for each would be most of the garbage of a broker that copies.
 */
export function reusedFrameMemory(): FrameMemory {
  let kept = new Uint8Array(0);
  return (size) => {
    if (size > reusedBytesMax) return new Uint8Array(size);
    if (size > kept.length) {
      const doubled = Math.max(size, reusedBytesMin, 2 * kept.length);
      kept = new Uint8Array(Math.min(doubled, reusedBytesMax));
    }
    return kept.subarray(0, size);
  };
}

export class FrameCutter {
  readonly #receive: (frame: Uint8Array) => void;
  readonly #memory: FrameMemory;
  readonly #prefix = new Uint8Array(4);
  #prefixFilled = 0;
  #frame: Uint8Array | null = null;
  #filled = 0;

  constructor(
    receive: (frame: Uint8Array) => void,
    memory: FrameMemory = (size) => new Uint8Array(size),
  ) {
    this.#receive = receive;
    this.#memory = memory;
  }

  /** Where the next bytes belong, if there are many: what is read into it is not copied by `push`. */
  space(): Uint8Array | undefined {
    const frame = this.#frame;
    if (frame === null || frame.length - this.#filled < inPlaceBytesMin) return undefined;
    return frame.subarray(this.#filled);
  }

  /** Throws a RangeError for a size no frame has. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      at += this.#frame === null ? this.#takePrefix(chunk, at) : this.#takeFrame(chunk, at);
    }
  }

  #takePrefix(chunk: Uint8Array, at: number): number {
    const count = Math.min(4 - this.#prefixFilled, chunk.length - at);
    this.#prefix.set(chunk.subarray(at, at + count), this.#prefixFilled);
    this.#prefixFilled += count;
    if (this.#prefixFilled < 4) return count;
    const size = new DataView(this.#prefix.buffer).getInt32(0);
    if (size < 4 || size > frameBytesMax) throw new RangeError(`a frame of ${size} bytes`);
    this.#frame = this.#memory(size);
    this.#filled = 0;
    this.#prefixFilled = 0;
    return count;
  }

  #takeFrame(chunk: Uint8Array, at: number): number {
    const frame = this.#frame!;
    const count = Math.min(frame.length - this.#filled, chunk.length - at);
    const isInPlace =
      chunk.buffer === frame.buffer && chunk.byteOffset === frame.byteOffset + this.#filled;
    if (!isInPlace) frame.set(chunk.subarray(at, at + count), this.#filled);
    this.#filled += count;
    if (this.#filled === frame.length) {
      this.#frame = null;
      this.#receive(frame);
    }
    return count;
  }
}
