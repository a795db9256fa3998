// Lines of text over a TCP connection, for the metadata log that a parent process serves to its brokers.

import type { Wire } from "../../cluster/log-wire.ts";
import type { Connection } from "../platform.ts";

/** An entry is at most 1 MiB, a third more as base64. */
const lineBytesMax = 4 * 1024 * 1024;
const lineFeed = 0x0a;
const encoder = new TextEncoder();

export function lineWire(connection: Connection): Wire {
  return {
    send: (line) => void connection.write(encoder.encode(`${line}\n`)),
    open({ received, closed }) {
      const cutter = new LineCutter(received);
      connection.onData((chunk) => {
        if (!cutter.push(chunk)) connection.destroy();
      });
      connection.onClose(() => closed());
    },
    close: () => connection.destroy(),
  };
}

class LineCutter {
  readonly #received: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #begun: Uint8Array[] = [];
  #begunBytes = 0;

  constructor(received: (line: string) => void) {
    this.#received = received;
  }

  /** False: this is no line of ours. */
  push(chunk: Uint8Array): boolean {
    let at = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, at)) {
      this.#keep(chunk.subarray(at, end));
      this.#received(this.#take());
      at = end + 1;
    }
    this.#keep(chunk.slice(at));
    return this.#begunBytes <= lineBytesMax;
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#begun.push(bytes);
    this.#begunBytes += bytes.length;
  }

  #take(): string {
    let text = "";
    for (const bytes of this.#begun) text += this.#decoder.decode(bytes, { stream: true });
    this.#begun = [];
    this.#begunBytes = 0;
    return text + this.#decoder.decode();
  }
}
