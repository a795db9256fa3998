// What the client needs of a browser, and of any runtime that has the web's standards and nothing else: no sockets, so
// brokers are reached over HTTP. The core is part of the program: no file to be found, no await before the first call.

import { createCore } from "../../storage-wasm/core.ts";
import { corePacked } from "../../storage-wasm/dist/core-inline.js";
import { ownCodecs } from "../compression/own-codecs.ts";
import type { ClientPlatform, Clock, Network, Timer } from "../platform.ts";
import { webRandom } from "./web-random.ts";

/** Longest delay a timer takes (2^31 − 1 ms); more would fire at once. */
const timerDelayMsMax = 0x7fffffff;

/** Far above what the core is. */
const coreBytesMax = 1024 * 1024;

let made: ClientPlatform | undefined;

export function clientPlatform(): ClientPlatform {
  made ??= {
    clock: new WebClock(),
    random: webRandom,
    core: createCore(new WebAssembly.Module(unpacked(corePacked))),
    codecs: ownCodecs,
    network,
  };
  return made;
}

const network: Network = {
  listen: () => Promise.reject(noSockets()),
  dial: () => Promise.reject(noSockets()),
};

function noSockets(): Error {
  return new Error("there is no TCP here: give the URL of an HTTP door as bootstrap");
}

class WebClock implements Clock {
  #soon: (() => void)[] = [];
  #channel: MessageChannel | undefined;

  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = setTimeout(run, Math.min(delayMs, timerDelayMsMax));
    return { cancel: () => clearTimeout(timer) };
  }

  /** By a message: timers of nested calls wait 4 ms in browsers, and a second in tabs that nobody looks at. */
  soon(run: () => void): void {
    if (this.#soon.push(run) > 1) return;
    this.#channel ??= this.#open();
    this.#channel.port2.postMessage(null);
  }

  /** Closed when nothing is left to run: some runtimes do not end while a channel is open. */
  #open(): MessageChannel {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      const due = this.#soon;
      this.#soon = [];
      for (const run of due) run();
      if (this.#soon.length > 0) return;
      channel.port1.close();
      this.#channel = undefined;
    };
    return channel;
  }
}

function unpacked(base64: string): BufferSource {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return ownCodecs.gzip.decompress(bytes, coreBytesMax) as Uint8Array<ArrayBuffer>;
}
