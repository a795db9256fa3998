// AnswerMemory: the memory of one consumer's Fetch answers, read into again once nobody looks at it any more. Memory that
// is new for each answer has its pages cleared, and is taken back, where the runtime does not keep what was freed. Only
// with `reuseMemory`, because records are views of it. `fetcher.ts` fills it.

/** Smaller answers cost little, larger ones are rare: both get memory of their own. */
const reusedBytesMin = 64 * 1024;
const reusedBytesMax = 32 * 1024 * 1024;
/** Answers of almost the same size find the same memory. */
const stepBytes = 256 * 1024;
/** Kept for answers to come: more than that are not on their way at a time, unless leaders are many. */
const idleBytesMax = 32 * 1024 * 1024;

export class AnswerMemory {
  /** The last used at the end: it is still in the processor's cache. */
  readonly #idle: Uint8Array[] = [];
  /** By memory that is out: who looks at it. What nobody gives back is left to the garbage collector. */
  readonly #users = new WeakMap<ArrayBufferLike, number>();

  /** For an answer of `size` bytes. */
  take(size: number): Uint8Array {
    if (size < reusedBytesMin || size > reusedBytesMax) return new Uint8Array(size);
    const index = this.#idle.findLastIndex((memory) => memory.length >= size);
    const [found] = index < 0 ? [] : this.#idle.splice(index, 1);
    const memory = found ?? new Uint8Array(Math.ceil(size / stepBytes) * stepBytes);
    this.#users.set(memory.buffer, 0);
    return memory.subarray(0, size);
  }

  /** One more looks at `bytes`, a part of an answer. */
  hold(bytes: Uint8Array): void {
    const users = this.#users.get(bytes.buffer);
    if (users !== undefined) this.#users.set(bytes.buffer, users + 1);
  }

  /** One of those who hold `bytes` does not look at them any more; after the last one they change. */
  release(bytes: Uint8Array): void {
    const users = this.#users.get(bytes.buffer);
    if (users === undefined) return;
    this.#users.set(bytes.buffer, users - 1);
    if (users > 1) return;
    this.#users.delete(bytes.buffer);
    this.#keep(new Uint8Array(bytes.buffer));
  }

  /** The longest unused goes for it, so that memory too small for the answers of today does not stay. */
  #keep(memory: Uint8Array): void {
    let bytes = memory.length;
    for (const { length } of this.#idle) bytes += length;
    while (bytes > idleBytesMax) bytes -= this.#idle.shift()?.length ?? bytes;
    this.#idle.push(memory);
  }
}
