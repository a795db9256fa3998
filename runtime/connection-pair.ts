// connectionPair: two ends of one connection inside this process. What is written at one end is received at the other,
// without a socket and without a copy: for requests of the Kafka door that did not come over TCP.

import type { Connection } from "./platform.ts";

interface Held {
  readonly bytes: Uint8Array;
  readonly written: (() => void) | undefined;
}

/** Above it who writes is asked to wait. */
const heldBytesMax = 256 * 1024;

/** `from` is who the far end takes its peer for. */
export function connectionPair(from: {
  readonly address: string;
  readonly port: number;
}): readonly [near: Connection, far: Connection] {
  const near = new End({ address: "", port: 0 });
  const far = new End(from);
  near.peer = far;
  far.peer = near;
  return [near, far];
}

class End implements Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  peer: End | undefined;
  #receive: ((chunk: Uint8Array) => void) | undefined;
  #closed: ((error: Error | undefined) => void) | undefined;
  #drained: (() => void) | undefined;
  /** What the peer wrote while this end was paused: its memory stays in use, and so holds the peer back. */
  #held: Held[] = [];
  #heldBytes = 0;
  #isPaused = false;
  #isEnding = false;
  #isOver = false;
  /** The peer was asked to wait. */
  #owesDrain = false;

  constructor(remote: { readonly address: string; readonly port: number }) {
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
  }

  onData(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive;
    this.#deliver();
  }

  onClose(closed: (error: Error | undefined) => void): void {
    if (this.#isOver) queueMicrotask(() => closed(undefined));
    else this.#closed = closed;
  }

  write(bytes: Uint8Array, written?: () => void): boolean {
    if (!this.#isOver && !this.#isEnding) return this.peer!.#take({ bytes, written });
    if (written) queueMicrotask(written);
    return true;
  }

  onDrain(drained: () => void): void {
    this.#drained = drained;
  }

  /** Nothing is gained by gathering writes that cost nothing. */
  cork(): void {}

  uncork(): void {}

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  end(): void {
    this.#isEnding = true;
    if (this.peer!.#held.length === 0) this.destroy();
  }

  destroy(): void {
    this.#finish();
    this.peer!.#finish();
  }

  /** Received a moment later, as from a socket: who writes may note what it waits for afterwards. */
  #take(held: Held): boolean {
    this.#held.push(held);
    this.#heldBytes += held.bytes.length;
    if (this.#held.length === 1) queueMicrotask(() => this.#deliver());
    this.#owesDrain = this.#heldBytes > heldBytesMax || this.#isPaused;
    return !this.#owesDrain;
  }

  #deliver(): void {
    while (this.#held.length > 0 && !this.#isPaused && !this.#isOver && this.#receive) {
      const { bytes, written } = this.#held.shift()!;
      this.#heldBytes -= bytes.length;
      this.#receive(bytes);
      if (written) queueMicrotask(written);
    }
    if (this.#held.length > 0 || this.#isPaused || this.#isOver) return;
    if (this.peer!.#isEnding) this.destroy();
    else if (this.#owesDrain) {
      this.#owesDrain = false;
      queueMicrotask(() => this.peer!.#drained?.());
    }
  }

  /** Callers are not called back before they return. */
  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const { written } of this.#held) if (written) queueMicrotask(written);
    this.#held = [];
    this.#heldBytes = 0;
    queueMicrotask(() => this.#closed?.(undefined));
  }
}
