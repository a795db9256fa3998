// PumpBuffers: the buffers in which file data travels to sockets, shared by all connections, in two sizes so that
// a small answer does not drag a large buffer through the cache. When they are all out, a connection goes on with
// one small buffer of its own, so that readers who do not read starve no one.

export const pumpBufferBytes = 1024 * 1024;
/** Most answers at the end of a log fit in one of these. */
export const smallBufferBytes = 128 * 1024;
/** The buffer every connection may have beyond the shared ones. */
export const ownBufferBytes = 64 * 1024;
/** Idle bytes that are kept of each size; the rest is left to the garbage collector. */
const idleBytesMax = 8 * 1024 * 1024;

export class PumpBuffers {
  readonly #buffersMax: number;
  readonly #idleSmall: Uint8Array[] = [];
  readonly #idleLarge: Uint8Array[] = [];
  #out = 0;

  constructor(buffersMax: number) {
    this.#buffersMax = buffersMax;
  }

  get out(): number {
    return this.#out;
  }

  /** One that holds `length` bytes, or the largest there is. */
  take(length: number): Uint8Array | undefined {
    if (this.#out >= this.#buffersMax) return undefined;
    this.#out++;
    const bytes = length <= smallBufferBytes ? smallBufferBytes : pumpBufferBytes;
    return this.#idleOf(bytes).pop() ?? new Uint8Array(bytes);
  }

  give(buffer: Uint8Array): void {
    this.#out--;
    const idle = this.#idleOf(buffer.length);
    if ((idle.length + 1) * buffer.length <= idleBytesMax) idle.push(buffer);
  }

  /** For a buffer that a dead socket may still hold: it is not used again. */
  forget(): void {
    this.#out--;
  }

  #idleOf(bytes: number): Uint8Array[] {
    return bytes === smallBufferBytes ? this.#idleSmall : this.#idleLarge;
  }
}
