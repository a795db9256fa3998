// The client's end of a connection to one fake broker: what is written arrives a microtask later, in frames.

import { FrameCutter } from "../../../runtime/client/frames.ts";
import type { Connection } from "../../../runtime/platform.ts";

export class FakeConnection implements Connection {
  readonly remoteAddress = "fake";
  readonly remotePort = 0;
  readonly broker: number;
  readonly #frames: FrameCutter;
  readonly #gone: () => void;
  #isOpen = true;
  #receive: (chunk: Uint8Array) => void = () => {};
  #closed: (error: Error | undefined) => void = () => {};

  constructor(ends: { broker: number; answer(frame: Uint8Array): void; gone(): void }) {
    this.broker = ends.broker;
    this.#gone = () => ends.gone();
    this.#frames = new FrameCutter((frame) => {
      if (this.#isOpen) ends.answer(frame);
    });
  }

  onData(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive;
  }
  onClose(closed: (error: Error | undefined) => void): void {
    this.#closed = closed;
  }
  write(bytes: Uint8Array, written?: () => void): boolean {
    const copy = bytes.slice();
    queueMicrotask(() => {
      this.#frames.push(copy);
      written?.();
    });
    return true;
  }
  /** In two pieces, and the second is overwritten afterwards, as a socket's buffer would be. */
  deliver(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    const middle = bytes.length >> 1;
    this.#receive(bytes.subarray(0, middle));
    const rest = bytes.slice(middle);
    this.#receive(rest);
    rest.fill(0xee);
  }
  hangUp(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#gone();
    queueMicrotask(() => this.#closed(undefined));
  }
  onDrain(): void {}
  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {
    this.hangUp();
  }
  destroy(): void {
    this.hangUp();
  }
}
