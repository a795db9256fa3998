// Frames: cuts the byte stream of a connection into Kafka's length-prefixed messages. Each frame gets memory of
// its own, because what is decoded from it are views. Only `broker-connection.ts` uses it.

/** Far above any answer a client asks for; a larger size means that the peer does not speak Kafka. */
export const frameBytesMax = 256 * 1024 * 1024;

export class FrameCutter {
  readonly #receive: (frame: Uint8Array) => void;
  readonly #prefix = new Uint8Array(4);
  #prefixFilled = 0;
  #frame: Uint8Array | null = null;
  #filled = 0;

  constructor(receive: (frame: Uint8Array) => void) {
    this.#receive = receive;
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
    this.#frame = new Uint8Array(size);
    this.#filled = 0;
    this.#prefixFilled = 0;
    return count;
  }

  #takeFrame(chunk: Uint8Array, at: number): number {
    const frame = this.#frame!;
    const count = Math.min(frame.length - this.#filled, chunk.length - at);
    frame.set(chunk.subarray(at, at + count), this.#filled);
    this.#filled += count;
    if (this.#filled === frame.length) {
      this.#frame = null;
      this.#receive(frame);
    }
    return count;
  }
}
