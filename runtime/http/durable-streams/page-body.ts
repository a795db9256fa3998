// PageBody: messages of one page as the body that answers them: their bytes one after the other, of a JSON stream as an
// array. Messages that are read from memory which is the page's own are moved together within it: no view, no copy and
// no second array for each. Pure.

import type { RecordReader } from "../../../storage-wasm/core.ts";

const comma = 0x2c;
const opening = 0x5b;
const closing = 0x5d;
/** Of memory that is made when there is none to move messages in. */
const firstBytes = 1024;

export class PageBody {
  /** Messages. */
  count = 0;
  readonly #isJson: boolean;
  #memory: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  /** Not the memory of records, of which some may not be read yet. */
  #isOwn = true;
  #length = 0;

  constructor({ isJson }: { isJson: boolean }) {
    this.#isJson = isJson;
  }

  /** Bytes of messages so far, and what stands between them. */
  get length(): number {
    return this.#length;
  }

  /** What the next messages are read from, if nobody else ever reads it again. */
  offer(memory: Uint8Array): void {
    if (this.#length > 0) return;
    this.#memory = memory;
    this.#isOwn = false;
  }

  /** The message that `record` stands on; a record without value is none. */
  add(record: RecordReader): void {
    const { valueLength } = record;
    if (valueLength < 0) return;
    const at = this.#length + (this.#isJson ? 1 : 0);
    if (this.#isOwn || !record.moveValue(this.#memory, at)) {
      if (!this.#isOwn || at + valueLength > this.#memory.length) this.#grow(at + valueLength);
      record.copyValue(this.#memory, at);
    }
    if (this.#isJson) this.#memory[at - 1] = this.count === 0 ? opening : comma;
    this.#length = at + valueLength;
    this.count++;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const memory = this.#memory as Uint8Array<ArrayBuffer>;
    if (!this.#isJson) return memory.subarray(0, this.#length);
    if (this.count === 0) return Uint8Array.of(opening, closing);
    if (this.#length === memory.length) {
      this.#grow(this.#length + 1);
      return this.bytes();
    }
    memory[this.#length] = closing;
    return memory.subarray(0, this.#length + 1);
  }

  /** Memory of its own, in which all fits that came so far. */
  #grow(bytes: number): void {
    const memory = new Uint8Array(Math.max(firstBytes, 2 * this.#length, bytes));
    memory.set(this.#memory.subarray(0, this.#length));
    this.#memory = memory;
    this.#isOwn = true;
  }
}
