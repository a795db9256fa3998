// WriterPool: writers whose buffers were sent and can be used for the next answers of any connection.

import { Writer } from "./writer.ts";

const idleMax = 64;
/** A buffer that grew beyond this for one large answer is not kept. */
const keptBytesMax = 128 * 1024;

export class WriterPool {
  readonly #inlineBytesMax: number;
  readonly #idle: Writer[] = [];

  constructor(options: { readonly inlineBytesMax: number }) {
    this.#inlineBytesMax = options.inlineBytesMax;
  }

  take(): Writer {
    return this.#idle.pop() ?? new Writer({ inlineBytesMax: this.#inlineBytesMax });
  }

  give(writer: Writer): void {
    if (this.#idle.length >= idleMax || writer.capacity > keptBytesMax) return;
    writer.reset();
    this.#idle.push(writer);
  }
}
