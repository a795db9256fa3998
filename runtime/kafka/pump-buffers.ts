// PumpBuffers: the buffers in which file data travels to sockets, shared by all connections. When they are all
// out, a connection goes on with one small buffer of its own, so that readers who do not read starve no one.

export const pumpBufferBytes = 1024 * 1024;
/** The buffer every connection may have beyond the shared ones. */
export const ownBufferBytes = 64 * 1024;
/** Idle buffers that are kept; more are left to the garbage collector. */
const idleMax = 8;

export class PumpBuffers {
  readonly #buffersMax: number;
  readonly #idle: Uint8Array[] = [];
  #out = 0;

  constructor(buffersMax: number) {
    this.#buffersMax = buffersMax;
  }

  get out(): number {
    return this.#out;
  }

  take(): Uint8Array | undefined {
    if (this.#out >= this.#buffersMax) return undefined;
    this.#out++;
    return this.#idle.pop() ?? new Uint8Array(pumpBufferBytes);
  }

  give(buffer: Uint8Array): void {
    this.#out--;
    if (this.#idle.length < idleMax) this.#idle.push(buffer);
  }

  /** For a buffer that a dead socket may still hold: it is not used again. */
  forget(): void {
    this.#out--;
  }
}
