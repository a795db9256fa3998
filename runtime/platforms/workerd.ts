// Platform on workerd, inside a Durable Object or, without storage, in any Worker. Requests and connections do not
// come from a port here: the object's handlers pass them in through `accept` and `fetch`.

import { openMemoryControlPlane } from "../../cluster/memory.ts";
import { createCodecs, type Zlib } from "../compression/codecs.ts";
import type { Connection, HttpHandler, Listener, Network, Platform } from "../platform.ts";
import { openDurableObjectStorage } from "../storage/durable-object.ts";
import type { ObjectStorage } from "../storage/durable-object-sql.ts";
import { StorageError } from "../storage/storage.ts";
import { clusterFiles } from "./cluster-files.ts";
import { webRandom } from "./web-random.ts";
import { RestingClock } from "./workerd-clock.ts";
import { workerdCore } from "./workerd-core.ts";
import { StreamConnection, type StreamSocket, workerdDialer } from "./workerd-sockets.ts";

export type { ObjectStorage } from "../storage/durable-object-sql.ts";
export { type RestingClock, UseCount } from "./workerd-clock.ts";
export type { StreamSocket } from "./workerd-sockets.ts";

export interface WorkerdOptions {
  /** `ctx.storage` of the object; without it there is nothing to keep a log in. */
  readonly storage?: ObjectStorage;
  /** Refuse to store more than this; default: what the platform refuses. */
  readonly storageBytesMax?: number;
  /** Keep appends in memory until they are synced: for a broker that acknowledges only then. */
  readonly isBuffered?: boolean;
  /** Compatibility date of the Worker: what a release of workerd goes by. */
  readonly version?: string;
  readonly manual?: () => Promise<ReadonlyMap<string, string>>;
  /** Ways to addresses that need no network: other objects. Undefined: over the network. */
  readonly objectAt?: (address: HostPort) => SocketSource | undefined;
}

interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What connections can be opened to, such as another object. */
interface SocketSource {
  connect(address: string): StreamSocket;
}

export interface WorkerdPlatform extends Platform {
  readonly clock: RestingClock;
  /** A TCP connection that came in, and from which HOST:PORT; resolves when it is over. */
  accept(socket: StreamSocket, from: string): Promise<void>;
  fetch(request: Request): Promise<Response>;
}

export function createPlatform(options: WorkerdOptions = {}): WorkerdPlatform {
  const { storage, storageBytesMax, version = "", manual = async () => new Map() } = options;
  const doors = new Doors();
  const clock = new RestingClock();
  return {
    runtime: "workerd",
    runtimeVersion: version,
    clock,
    random: webRandom,
    core: workerdCore(),
    codecs: createCodecs(zlib),
    network: {
      listen: (at, accept) => doors.openKafka(at, accept),
      dial: dialer(clock, options.objectAt),
    },
    http: { listen: (at, handler) => doors.openHttp(at, handler) },
    openStorage() {
      if (storage === undefined) {
        throw new StorageError(
          "missing",
          "a Worker has no storage: a log lives in a Durable Object",
        );
      }
      const limit = storageBytesMax === undefined ? {} : { bytesMax: storageBytesMax };
      const buffer = options.isBuffered ? { soon: (run: () => void) => clock.soon(run) } : {};
      const owner = crypto.randomUUID();
      return openDurableObjectStorage(storage, { ...limit, ...buffer, owner });
    },
    openControlPlane: (opened, own) =>
      openMemoryControlPlane({ random: webRandom, files: clusterFiles(opened), ...own }),
    manual,
    memory() {
      const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
      return { rss, heap: heapUsed, buffers: arrayBuffers };
    },
    accept: (socket, from) => doors.accept(socket, from),
    fetch: (request) => doors.fetch(request),
  };
}

const nodeZlib = () => process.getBuiltinModule("node:zlib") as unknown as Required<Zlib>;

/** Read by the first batch that is compressed: all other starts do without. */
const zlib: Zlib = {
  gzipSync: (bytes, options) => nodeZlib().gzipSync(bytes, options),
  gunzipSync: (bytes, options) => nodeZlib().gunzipSync(bytes, options),
  zstdCompressSync: (bytes, options) => nodeZlib().zstdCompressSync(bytes, options),
  zstdDecompressSync: (bytes, options) => nodeZlib().zstdDecompressSync(bytes, options),
};

/** Between objects nothing is opened: bytes flow at once, or the connection breaks. */
function dialer(
  clock: RestingClock,
  objectAt: WorkerdOptions["objectAt"] = () => undefined,
): Network["dial"] {
  const overNetwork = workerdDialer(clock);
  return async (options) => {
    const { host, port } = options;
    const socket = objectAt(options)?.connect(`${host}:${port}`);
    if (socket === undefined) return overNetwork(options);
    return new StreamConnection(socket, { address: host, port });
  };
}

/** What the server listens with: nothing is bound, the object's handlers knock. */
class Doors {
  #accept: ((connection: Connection) => void) | undefined;
  #handler: HttpHandler | undefined;
  #noteKafka: () => void = () => {};
  /** Whoever knocks while the object starts waits for it. */
  readonly #kafkaOpened = new Promise<void>((resolve) => {
    this.#noteKafka = resolve;
  });

  async openKafka(
    at: { host: string; port: number; tls?: unknown },
    accept: (connection: Connection) => void,
  ): Promise<Listener> {
    if (at.tls !== undefined)
      throw new Error("encryption is workerd's own part: let its sockets do it");
    if (this.#accept !== undefined) throw new Error("a Durable Object has one listener");
    this.#accept = accept;
    this.#noteKafka();
    return this.#listener(at, () => {
      this.#accept = undefined;
    });
  }

  async openHttp(at: { host: string; port: number }, handler: HttpHandler): Promise<Listener> {
    this.#handler = handler;
    return this.#listener(at, () => {
      this.#handler = undefined;
    });
  }

  async accept(socket: StreamSocket, from: string): Promise<void> {
    await this.#kafkaOpened;
    const accept = this.#accept;
    if (accept === undefined) return socket.close();
    const end = from.lastIndexOf(":");
    const port = Number(from.slice(end + 1));
    const remote = end < 0 ? { address: from, port: 0 } : { address: from.slice(0, end), port };
    const connection = new StreamConnection(socket, remote);
    accept(connection);
    return connection.over;
  }

  async fetch(request: Request): Promise<Response> {
    const handler = this.#handler;
    if (handler === undefined) return new Response("no HTTP door is open\n", { status: 503 });
    const remoteAddress = request.headers.get("cf-connecting-ip");
    return handler(request, remoteAddress === null ? {} : { remoteAddress });
  }

  #listener(at: { host: string; port: number }, close: () => void): Listener {
    return { host: at.host, port: at.port, close: async () => close() };
  }
}
