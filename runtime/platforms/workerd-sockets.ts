// TCP connections of workerd, which are a pair of streams, as `Connection`. Inbound ones are handed over by the
// object's `connect()` handler, outbound ones come from `cloudflare:sockets`.

import { connect } from "cloudflare:sockets";
import type { Clock, Connection, Network, Timer } from "../platform.ts";

/** A socket as workerd gives it. */
export interface StreamSocket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly opened: Promise<{ readonly remoteAddress?: string; readonly localAddress?: string }>;
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** Bytes that wait for the socket before writers are asked to wait. */
const queuedBytesMax = 1024 * 1024;

/** Opens outbound connections. */
export function workerdDialer(clock: Pick<Clock, "after">): Network["dial"] {
  return async ({ host, port, timeoutMs, tls }) => {
    const secureTransport = tls === undefined ? "off" : "on";
    const socket = connect({ hostname: host, port }, { secureTransport });
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      const tooLate = new Error(`no answer from ${host}:${port} in ${timeoutMs} ms`);
      timer = clock.after(timeoutMs, () => reject(tooLate));
    });
    try {
      await Promise.race([socket.opened, late]);
    } catch (error) {
      socket.close().catch(() => {});
      throw error;
    } finally {
      timer?.cancel();
    }
    return new StreamConnection(socket, { address: host, port });
  };
}

export class StreamConnection implements Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Resolves when the connection is over, whichever side ended it. */
  readonly over: Promise<void>;
  readonly #socket: StreamSocket;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #receive: ((chunk: Uint8Array) => void) | undefined;
  #closed: ((error: Error | undefined) => void) | undefined;
  #drained: (() => void) | undefined;
  #noteOver: () => void = () => {};
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #corks = 0;
  #reading = false;
  #writing = false;
  #paused = false;
  #ending = false;
  #isOver = false;
  #mustDrain = false;

  constructor(socket: StreamSocket, remote: { readonly address: string; readonly port: number }) {
    this.#socket = socket;
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    this.#reader = socket.readable.getReader();
    this.#writer = socket.writable.getWriter();
    this.over = new Promise((resolve) => {
      this.#noteOver = resolve;
    });
    // Failures are seen where they are read or written.
    socket.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  onData(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive;
    void this.#read();
  }

  onClose(closed: (error: Error | undefined) => void): void {
    if (this.#isOver) queueMicrotask(() => closed(undefined));
    else this.#closed = closed;
  }

  write(bytes: Uint8Array, written?: () => void): boolean {
    if (this.#isOver || this.#ending) {
      if (written) queueMicrotask(written);
      return true;
    }
    // A copy: the stream takes its time, and the caller's memory may be the storage core's.
    this.#queue.push(bytes.slice());
    this.#queuedBytes += bytes.length;
    if (written) queueMicrotask(written);
    if (this.#corks === 0) void this.#flush();
    this.#mustDrain = this.#queuedBytes > queuedBytesMax;
    return !this.#mustDrain;
  }

  onDrain(drained: () => void): void {
    this.#drained = drained;
  }

  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    this.#corks--;
    if (this.#corks === 0) void this.#flush();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    void this.#read();
  }

  end(): void {
    this.#ending = true;
    void this.#flush();
  }

  destroy(): void {
    this.#finish(undefined);
  }

  async #read(): Promise<void> {
    if (this.#reading || this.#receive === undefined) return;
    this.#reading = true;
    try {
      while (!this.#paused && !this.#isOver) {
        const { value, done } = await this.#reader.read();
        if (done) {
          // Half-open connections are of no use to Kafka's clients.
          this.end();
          break;
        }
        if (!this.#isOver) this.#receive(value);
      }
    } catch (error) {
      this.#finish(asError(error));
    } finally {
      this.#reading = false;
    }
  }

  async #flush(): Promise<void> {
    if (this.#writing || this.#isOver) return;
    this.#writing = true;
    try {
      while (this.#queue.length > 0 && !this.#isOver) {
        const bytes = joined(this.#queue, this.#queuedBytes);
        this.#queue = [];
        this.#queuedBytes = 0;
        await this.#writer.write(bytes);
        this.#noteDrained();
      }
      if (this.#ending) this.#finish(undefined);
    } catch (error) {
      this.#finish(asError(error));
    } finally {
      this.#writing = false;
    }
  }

  #noteDrained(): void {
    if (!this.#mustDrain || this.#queuedBytes > queuedBytesMax || this.#isOver) return;
    this.#mustDrain = false;
    this.#drained?.();
  }

  #finish(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#reader.cancel().catch(() => {});
    const closing = error === undefined ? this.#writer.close() : this.#writer.abort(error);
    closing.catch(() => {});
    this.#socket.close().catch(() => {});
    // Callers of destroy() must not be called back before it returns.
    queueMicrotask(() => {
      this.#closed?.(error);
      this.#noteOver();
    });
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
