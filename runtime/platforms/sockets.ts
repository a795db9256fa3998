// Network over node:net, which Node, Deno and Bun all have. Plain `data` events: whole frames inside a
// chunk are handled in place by the door, so nothing is copied here.

import * as net from "node:net";
import type { TLSSocket, TlsOptions as TlsServerOptions } from "node:tls";
import type { Connection, DialOptions, Listener, Network, ServerTls } from "../platform.ts";

/** As much as one read brings at most where nobody names a place. */
const readBytes = 64 * 1024;

/** Called with received bytes that nobody needs any more. */
export type Discard = (chunk: Uint8Array) => void;

export interface SocketHabits {
  /** Where received bytes are better given back than left to the garbage collector. */
  readonly discard?: Discard | undefined;
  /** Whether a dialled socket can be told where to put what it reads (`onread`). */
  readonly readsInPlace?: boolean;
}

export function createSockets({ discard, readsInPlace = false }: SocketHabits = {}): Network {
  return {
    listen: (options, accept) => {
      if (options.tls !== undefined) return listenSecurely(options, options.tls, accept);
      return listen(options, accept, discard);
    },
    dial: (options) => {
      if (options.tls !== undefined) return dialSecurely(options, discard);
      return readsInPlace ? dialInPlace(options) : dial(options, discard);
    },
  };
}

function listen(
  options: { host: string; port: number },
  accept: (connection: Connection) => void,
  discard: Discard | undefined,
): Promise<Listener> {
  const open = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    accept(new SocketConnection(socket, discard));
  });
  return bound(server, options, open);
}

/** Between a connection and the end of its handshake. */
const handshakeMsMax = 10_000;
const handshakesMax = 1_000;

async function listenSecurely(
  options: { host: string; port: number },
  own: ServerTls,
  accept: (connection: Connection) => void,
): Promise<Listener> {
  const tls = await import("node:tls");
  const open = new Set<net.Socket>();
  const server = tls.createServer(tlsOptions(own));
  limitHandshakes(server, open);
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.setNoDelay(true);
    accept(new SocketConnection(socket, undefined));
  });
  return bound(server, options, open);
}

function tlsOptions({ key, certificates, passphrase, clientAuth, clientCa }: ServerTls) {
  const options: TlsServerOptions = {
    key,
    cert: certificates,
    ...(passphrase !== undefined && { passphrase }),
    ...(clientCa !== undefined && { ca: clientCa }),
    requestCert: clientAuth !== "none",
    rejectUnauthorized: clientAuth === "required",
    minVersion: "TLSv1.2",
    handshakeTimeout: handshakeMsMax,
  };
  return options;
}

/** Handshakes cost much before anybody is known: further ones are turned away. */
function limitHandshakes(server: net.Server, open: Set<net.Socket>): void {
  const shaking = new Set<string>();
  server.on("connection", (socket: net.Socket) => {
    open.add(socket);
    const name = `${socket.remoteAddress} ${socket.remotePort}`;
    socket.on("error", () => {});
    socket.once("close", () => {
      open.delete(socket);
      shaking.delete(name);
    });
    if (shaking.size >= handshakesMax) socket.destroy();
    else shaking.add(name);
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    shaking.delete(`${socket.remoteAddress} ${socket.remotePort}`);
  });
  server.on("tlsClientError", (_error: Error, socket: TLSSocket) => socket.destroy());
}

function bound(
  server: net.Server,
  options: { host: string; port: number },
  open: Set<net.Socket>,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
      server.off("error", reject);
      server.on("error", () => {});
      const { port } = server.address() as net.AddressInfo;
      resolve({ host: options.host, port, close: () => closeServer(server, open) });
    });
  });
}

function closeServer(server: net.Server, open: Set<net.Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of open) socket.destroy();
  });
}

async function dial(options: DialOptions, discard: Discard | undefined): Promise<Connection> {
  return new SocketConnection(await connect(options, undefined), discard);
}

async function dialInPlace(options: DialOptions): Promise<Connection> {
  const reading = new Reading();
  const onread = {
    buffer: () => reading.space(),
    callback: (count: number, bytes: Uint8Array) => reading.filled(count, bytes),
  };
  return new SocketConnection(await connect(options, onread), undefined, reading);
}

async function dialSecurely(
  options: DialOptions,
  discard: Discard | undefined,
): Promise<Connection> {
  // Most processes never need it.
  const tls = await import("node:tls");
  const { host, port } = options;
  const ca = options.tls?.ca;
  const servername = net.isIP(host) === 0 ? { servername: host } : {};
  const open = () => {
    const socket = tls.connect({ host, port, ...servername, ...(ca === undefined ? {} : { ca }) });
    socket.setNoDelay(true);
    return socket;
  };
  return new SocketConnection(await opened(options, open, "secureConnect"), discard);
}

function connect(options: DialOptions, onread: net.OnReadOpts | undefined): Promise<net.Socket> {
  const { host, port } = options;
  const open = () => net.connect({ host, port, noDelay: true, ...(onread && { onread }) });
  return opened(options, open, "connect");
}

function opened(
  options: DialOptions,
  open: () => net.Socket,
  event: "connect" | "secureConnect",
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = open();
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const late = setTimeout(
      () =>
        fail(
          new Error(`no answer from ${options.host}:${options.port} in ${options.timeoutMs} ms`),
        ),
      options.timeoutMs,
    );
    socket.once("error", (error) => {
      clearTimeout(late);
      fail(error);
    });
    socket.once(event, () => {
      clearTimeout(late);
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

/** Reads of one socket: into the memory their receiver names, else into memory of their own. */
class Reading {
  receive: ((chunk: Uint8Array) => void) | null = null;
  wanted: (() => Uint8Array | undefined) | undefined;
  #own: Uint8Array | null = null;

  space(): Uint8Array {
    const wanted = this.wanted?.();
    if (wanted !== undefined) return wanted;
    this.#own ??= new Uint8Array(readBytes);
    return this.#own;
  }

  filled(count: number, { buffer, byteOffset }: Uint8Array): boolean {
    this.receive?.(new Uint8Array(buffer, byteOffset, count));
    return true;
  }
}

class SocketConnection implements Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #socket: net.Socket;
  readonly #discard: Discard | undefined;
  readonly #reading: Reading | undefined;

  constructor(socket: net.Socket, discard: Discard | undefined, reading?: Reading) {
    this.#socket = socket;
    this.#discard = discard;
    this.#reading = reading;
    this.remoteAddress = socket.remoteAddress ?? "";
    this.remotePort = socket.remotePort ?? 0;
    // A reset between accept and onClose must not end the process.
    socket.on("error", () => {});
  }

  onData(receive: (chunk: Uint8Array) => void, space?: () => Uint8Array | undefined): void {
    if (this.#reading !== undefined) {
      this.#reading.receive = receive;
      this.#reading.wanted = space;
      return;
    }
    const discard = this.#discard;
    this.#socket.on("data", ({ buffer, byteOffset, length }: Uint8Array) => {
      // It is a Buffer, whose slice() copies nothing: who keeps a slice would lose it with the chunk.
      const chunk = new Uint8Array(buffer, byteOffset, length);
      receive(chunk);
      discard?.(chunk);
    });
  }

  onClose(closed: (error: Error | undefined) => void): void {
    let failure: Error | undefined;
    this.#socket.once("error", (error: Error) => {
      failure = error;
    });
    if (this.#socket.destroyed) queueMicrotask(() => closed(failure));
    else this.#socket.once("close", () => closed(failure));
  }

  write(bytes: Uint8Array, written?: () => void): boolean {
    // The callback also runs, with an error, when the socket dies: the buffer is free either way.
    return written === undefined ? this.#socket.write(bytes) : this.#socket.write(bytes, written);
  }

  onDrain(drained: () => void): void {
    this.#socket.on("drain", drained);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
