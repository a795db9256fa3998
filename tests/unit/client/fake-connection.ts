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
  #space: () => Uint8Array | undefined = () => undefined;
  #closed: (error: Error | undefined) => void = () => {};

  constructor(ends: { broker: number; answer(frame: Uint8Array): void; gone(): void }) {
    this.broker = ends.broker;
    this.#gone = () => ends.gone();
    this.#frames = new FrameCutter((frame) => {
      if (this.#isOpen) ends.answer(frame);
    });
  }

  onData(receive: (chunk: Uint8Array) => void, space?: () => Uint8Array | undefined): void {
    this.#receive = receive;
    if (space !== undefined) this.#space = space;
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
  /**
   * In three pieces: the second into the receiver's own memory if it names some, the third overwritten afterwards, as
   * a socket's buffer would be.
   */
  deliver(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    let at = bytes.length >> 1;
    this.#receive(bytes.subarray(0, at));
    const space = this.#space()?.subarray(0, bytes.length - at - 1);
    if (space !== undefined) {
      space.set(bytes.subarray(at, at + space.length));
      at += space.length;
      this.#receive(space);
    }
    const rest = bytes.slice(at);
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
