// Platform: everything a runtime gives us. `platforms/*.ts` implement it, one small file each, and the
// simulator is one more. Nothing else may read a clock, draw randomness, or name a runtime's modules.

import type { ControlPlane } from "../cluster/control-plane.ts";
import type { Core } from "../storage-wasm/core.ts";
import type { BodySource } from "./pushed-body.ts";
import type { Storage } from "./storage/storage.ts";

/** A timer that can be cancelled; cancelling twice is harmless. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, ms since 1970: record timestamps, retention. May jump. */
  nowMs(): number;
  /** Monotonic, ms with fractions: waits and measurements. Never jumps. */
  monotonicMs(): number;
  /**
   * Calls `run` once after `delayMs`. Does not keep the process alive, unless `keepAlive`: for waits that a
   * program awaits, such as a client's retry while no socket is open.
   */
  after(delayMs: number, run: () => void, options?: { readonly keepAlive?: boolean }): Timer;
  /** Calls `run` when the current turn of the event loop has handled its input: group commit, batching. */
  soon(run: () => void): void;
}

export interface Random {
  /** Uniform integer in [0, below). */
  integer(below: number): number;
  bytes(length: number): Uint8Array;
}

/** One accepted or dialled TCP connection. Callbacks are set once, before the first byte arrives. */
export interface Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /**
   * `chunk` belongs to the callee only during the call: copy what must stay. `space` says where the next bytes had
   * better be put; a runtime that can reads into it, and `chunk` is the filled part of it.
   */
  onData(receive: (chunk: Uint8Array) => void, space?: () => Uint8Array | undefined): void;
  /** Called once, after which nothing else is called. `error` is undefined for an orderly end. */
  onClose(closed: (error: Error | undefined) => void): void;
  /**
   * Queues bytes. `written` runs when the bytes are no longer needed (buffer may be reused).
   * Returns false when the caller should wait for `onDrain` before it sends much more.
   */
  write(bytes: Uint8Array, written?: () => void): boolean;
  onDrain(drained: () => void): void;
  /** Groups the writes between cork and uncork into one system call where the runtime can. */
  cork(): void;
  uncork(): void;
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes now. */
  destroy(): void;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Encrypted, and the other side proves by its certificate that it is `host`. */
  readonly tls?: TlsOptions | undefined;
}

export interface TlsOptions {
  /** Certificates to trust instead of the runtime's own, PEM. In workerd its configuration names them. */
  readonly ca?: string | undefined;
}

/** With which a listener is encrypted; all texts are PEM. */
export interface ServerTls {
  readonly key: string;
  /** The server's own first, then those between it and its authority. */
  readonly certificates: string;
  /** What the key is encrypted with. */
  readonly passphrase?: string;
  /** A client without a certificate of `clientCa` is let in (`none`, `requested`) or not (`required`). */
  readonly clientAuth: "none" | "requested" | "required";
  readonly clientCa?: string;
}

export interface Network {
  /** With `tls`, `accept` sees a connection when its handshake is done. Rejects if the certificate cannot be used. */
  listen(
    options: { host: string; port: number; tls?: ServerTls },
    accept: (connection: Connection) => void,
  ): Promise<Listener>;
  dial(options: DialOptions): Promise<Connection>;
}

/** Web-standard request handler, as Hono's `app.fetch`. `remoteAddress` may be absent on edge runtimes. */
export type HttpHandler = (request: Request, context: HttpContext) => Response | Promise<Response>;

export interface HttpContext {
  readonly remoteAddress?: string;
  /**
   * The platform writes what `source` makes as the body of the answer, which the handler leaves empty, and tells it
   * when the client is gone. Absent: the handler answers with `pushedBody`.
   */
  push?(source: BodySource): void;
  /** Calls `done` once the answer's body is the kernel's; never, if the client goes before that. Absent: nobody knows. */
  whenSent?(done: () => void): void;
  /** Takes the whole body if all `bytes` of it have come. Undefined: not yet, and the request's own body is read. */
  takeBody?(bytes: number): Uint8Array | undefined;
  /** Of a GET that came with a body, which a web request cannot have. */
  readonly bodyOfGet?: AsyncIterable<Uint8Array> | undefined;
}

export interface HttpServer {
  listen(options: { host: string; port: number }, handler: HttpHandler): Promise<Listener>;
}

/** One compression format. Outputs are bounded: `decompress` throws CORRUPT_MESSAGE or MESSAGE_TOO_LARGE. */
export interface Codec {
  /** `level` as the format's own tools count it; a codec with one way to compress takes no notice. */
  compress(bytes: Uint8Array, level?: number): Uint8Array;
  decompress(bytes: Uint8Array, bytesMax: number): Uint8Array;
}

export type CodecName = "gzip" | "snappy" | "lz4" | "zstd";
export type Codecs = { readonly [name in CodecName]: Codec };

/** The part that a client needs: no storage, no HTTP server. */
export type ClientPlatform = Pick<Platform, "clock" | "random" | "core" | "codecs" | "network">;

export interface Platform {
  /** "node", "deno", "bun", "workerd" or "sim". */
  readonly runtime: string;
  /** The runtime's own version, e.g. "20.20.2". */
  readonly runtimeVersion: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly core: Core;
  readonly codecs: Codecs;
  readonly network: Network;
  readonly http: HttpServer;
  /** Files below `folder` (created if absent); its lock is taken by the log folder, not here. */
  openStorage(folder: string): Storage;
  /** The control plane of a broker that is alone, kept in `storage`. Absent `clusterId`: its own or a new one. */
  openControlPlane(storage: Storage, options: { clusterId?: string }): ControlPlane;
  /** A small text file that the configuration names, such as a certificate. Absent where there are no files. */
  readText?(path: string): Promise<string>;
  /** Pages of the manual, name to Markdown. */
  manual(): Promise<ReadonlyMap<string, string>>;
  /** Memory of this process in bytes, as far as the runtime tells. */
  memory(): { rss: number; heap: number; buffers: number };
}
