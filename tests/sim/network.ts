// TCP between simulated processes: bytes in order, late, stalled while a link is cut, connections that end with their
// process, ports that refuse, machines that do not answer.

import type { Connection, Listener, Network } from "../../runtime/platform.ts";
import type { Links } from "./links.ts";
import type { SimProcess } from "./process.ts";
import { Kind, type Owner, type Scheduler } from "./scheduler.ts";

interface Port {
  readonly process: SimProcess;
  readonly accept: (connection: Connection) => void;
}

/** Bytes on their way above which a writer should wait. */
const queuedBytesMax = 1 << 20;
/** A connection to a machine that lost its power is found dead so long after it is back, at most. */
const deadPeerMsMax = 500;
const splitChance = 0.03;

export class SimNetwork {
  readonly scheduler: Scheduler;
  readonly links: Links;
  /** The network's own events happen whoever lives. */
  readonly wire: Owner = { name: "wire", number: 15, isAlive: true };
  readonly #ports = new Map<string, Port>();
  #nextPort = 40_000;
  readonly #pairs = new Set<readonly [SimSocket, SimSocket]>();

  constructor(scheduler: Scheduler, links: Links) {
    this.scheduler = scheduler;
    this.links = links;
  }

  /** The network as one process sees it. */
  of(process: SimProcess): Network {
    return {
      listen: (options, accept) => this.#listen(process, options, accept),
      dial: (options) => this.#dial(process, options),
    };
  }

  async #listen(
    process: SimProcess,
    { host, port }: { host: string; port: number },
    accept: (connection: Connection) => void,
  ): Promise<Listener> {
    const key = `${host}:${port}`;
    if (this.#ports.has(key)) throw refusal("EADDRINUSE", `${key} is in use`);
    this.#ports.set(key, { process, accept });
    const free = () => void this.#ports.delete(key);
    process.onEnd(free);
    return { host, port, close: async () => free() };
  }

  #dial(
    process: SimProcess,
    to: { host: string; port: number; timeoutMs: number },
  ): Promise<Connection> {
    const { links, scheduler, wire } = this;
    const own = process.host.name;
    return new Promise((resolve, reject) => {
      const late = process.clock.after(to.timeoutMs, () =>
        reject(new Error(`no answer from ${to.host}:${to.port} in ${to.timeoutMs} ms`)),
      );
      const arrive = () => {
        if (!links.reaches(own, to.host) || !links.reaches(to.host, own)) return;
        const port = this.#ports.get(`${to.host}:${to.port}`);
        const backMs = links.delayMs(to.host, own);
        if (port === undefined) {
          scheduler.after(backMs, process, Kind.network, () => {
            late.cancel();
            reject(refusal("ECONNREFUSED", `${to.host}:${to.port} refused the connection`));
          });
          return;
        }
        const [near, far] = this.#pair(process, port.process);
        scheduler.after(0, port.process, Kind.network, () => port.accept(far));
        scheduler.after(backMs, process, Kind.network, () => {
          late.cancel();
          resolve(near);
        });
      };
      scheduler.after(links.delayMs(own, to.host), wire, Kind.network, arrive);
    });
  }

  #pair(a: SimProcess, b: SimProcess): [SimSocket, SimSocket] {
    const port = this.#nextPort++;
    const near = new SimSocket(this, a, { host: b.host.name, port: 9092 });
    const far = new SimSocket(this, b, { host: a.host.name, port });
    near.connect(far);
    far.connect(near);
    for (const pair of this.#pairs)
      if (pair.every(({ isOver }) => isOver)) this.#pairs.delete(pair);
    this.#pairs.add([near, far]);
    return [near, far];
  }

  /** All connections between two machines break, as when something between them forgets them. */
  reset(a: string, b: string): void {
    for (const pair of this.#pairs) {
      const names = pair.map(({ process }) => process.host.name);
      if (names.includes(a) && names.includes(b) && a !== b) for (const end of pair) end.breakOff();
    }
  }
}

interface Segment {
  readonly atMs: number;
  chunks: Uint8Array[];
  bytes: number;
  /** The last of the connection: an orderly end, or a reset. */
  end: "fin" | "reset" | undefined;
}

class SimSocket implements Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly process: SimProcess;
  readonly #network: SimNetwork;
  #peer: SimSocket | undefined;
  #receive: ((chunk: Uint8Array) => void) | undefined;
  #closed: ((error: Error | undefined) => void) | undefined;
  #drained: (() => void) | undefined;
  /** Sent, not yet arrived, in order. */
  readonly #sent: Segment[] = [];
  #sentBytes = 0;
  #isStalled = false;
  #lastArrivalMs = 0;
  /** Arrived, not yet taken. */
  readonly #arrived: Segment[] = [];
  #isPaused = false;
  #isEnding = false;
  #isOver = false;

  constructor(network: SimNetwork, process: SimProcess, remote: { host: string; port: number }) {
    this.#network = network;
    this.process = process;
    this.remoteAddress = remote.host;
    this.remotePort = remote.port;
    process.onEnd(() => this.#processEnded());
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What was on its way is lost. */
  breakOff(): void {
    if (this.#isOver) return;
    this.#sent.length = 0;
    this.#arrived.length = 0;
    this.#take({ atMs: 0, chunks: [], bytes: 0, end: "reset" });
  }

  connect(peer: SimSocket): void {
    this.#peer = peer;
  }

  onData(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive;
    this.#take();
  }

  onClose(closed: (error: Error | undefined) => void): void {
    this.#closed = closed;
    if (this.#isOver) this.#later(() => closed(undefined));
    else this.#take();
  }

  write(bytes: Uint8Array, written?: () => void): boolean {
    // The system takes it at once, as long as there is somebody to tell.
    if (written) queueMicrotask(() => this.process.isAlive && written());
    if (this.#isOver || this.#isEnding || !this.process.isAlive) return true;
    const segment = this.#segment();
    segment.chunks.push(bytes.slice());
    segment.bytes += bytes.length;
    this.#sentBytes += bytes.length;
    return this.#sentBytes < queuedBytesMax;
  }

  onDrain(drained: () => void): void {
    this.#drained = drained;
  }

  cork(): void {}

  uncork(): void {}

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#arrived.length > 0) this.#later(() => this.#take());
  }

  end(): void {
    if (this.#isOver || this.#isEnding || !this.process.isAlive) return;
    this.#segment().end = "fin";
    this.#isEnding = true;
  }

  destroy(): void {
    if (this.#isOver || !this.process.isAlive) return;
    if (!this.#isEnding) this.#segment().end = "reset";
    this.#over(undefined);
  }

  // ---- the way ----

  /** What is written in one turn of the event loop travels together. */
  #segment(): Segment {
    const { scheduler } = this.#network;
    const last = this.#sent.at(-1);
    if (last?.atMs === scheduler.nowMs && !last.end && !this.#isStalled) return last;
    const segment: Segment = { atMs: scheduler.nowMs, chunks: [], bytes: 0, end: undefined };
    this.#sent.push(segment);
    if (!this.#isStalled) this.#send(0);
    return segment;
  }

  /** One event for each segment; they arrive in order. */
  #send(extraMs: number): void {
    const { scheduler, links, wire } = this.#network;
    const delayMs = extraMs + links.delayMs(this.process.host.name, this.remoteAddress);
    const atMs = Math.max(scheduler.nowMs + delayMs, this.#lastArrivalMs);
    this.#lastArrivalMs = atMs;
    scheduler.after(atMs - scheduler.nowMs, wire, Kind.network, () => this.#arrive());
  }

  #arrive(): void {
    const { links, scheduler } = this.#network;
    if (this.#isStalled) return;
    const own = this.process.host.name;
    if (!links.reaches(own, this.remoteAddress)) {
      this.#stall();
      return;
    }
    const segment = this.#sent.shift();
    if (segment === undefined) return;
    this.#sentBytes -= segment.bytes;
    scheduler.mix(segment.bytes);
    this.#peer!.#take(segment);
    const hasRoom = this.#sentBytes < queuedBytesMax / 2;
    if (
      this.#drained &&
      hasRoom &&
      segment.bytes > 0 &&
      this.#sentBytes + segment.bytes >= queuedBytesMax
    )
      this.#later(this.#drained);
  }

  /** Nothing is lost: it is sent again when the link works, all of it. */
  #stall(): void {
    this.#isStalled = true;
    const { links } = this.#network;
    const end = links.onHeal(() => {
      if (!links.reaches(this.process.host.name, this.remoteAddress)) return;
      end();
      this.#isStalled = false;
      const extraMs = links.resendMs();
      for (const _ of this.#sent) this.#send(extraMs);
    });
  }

  #take(segment?: Segment): void {
    if (!this.process.isAlive) return;
    if (segment) this.#arrived.push(segment);
    if (segment && !this.process.isPaused) this.#handOver();
    else this.#network.scheduler.after(0, this.process, Kind.network, () => this.#handOver());
  }

  #handOver(): void {
    while (!this.#isPaused && !this.#isOver && this.#receive && this.#closed) {
      const segment = this.#arrived.shift();
      if (segment === undefined) return;
      if (segment.bytes > 0) this.#deliver(joined(segment));
      if (segment.end !== undefined) {
        const reset =
          segment.end === "reset" ? refusal("ECONNRESET", "connection reset") : undefined;
        if (!this.#isOver) this.end();
        this.#over(reset);
      }
    }
  }

  /** The callee may keep nothing: what it kept all the same is spoilt. */
  #deliver(bytes: Uint8Array): void {
    const { random } = this.#network.links;
    const cut =
      bytes.length > 1 && random.chance(splitChance) ? 1 + random.integer(bytes.length - 1) : 0;
    for (const chunk of cut > 0 ? [bytes.slice(0, cut), bytes.slice(cut)] : [bytes]) {
      if (this.#isOver) return;
      this.#receive!(chunk);
      chunk.fill(0xdb);
    }
  }

  #over(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const closed = this.#closed;
    if (closed) this.#later(() => closed(error));
  }

  #later(run: () => void): void {
    this.#network.scheduler.after(0, this.process, Kind.soon, run);
  }

  /** Its machine says so for it, unless that has no power: then it is found out when there is somebody to ask. */
  #processEnded(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { scheduler, links, wire } = this.#network;
    const { host } = this.process;
    if (host.isUp) {
      if (!this.#isEnding) this.#segment().end = "reset";
      return;
    }
    this.#sent.length = 0;
    const reset: Segment = { atMs: 0, chunks: [], bytes: 0, end: "reset" };
    const find = () => {
      if (!links.reaches(host.name, this.remoteAddress)) return;
      end();
      const delayMs = links.random.between(0, deadPeerMsMax);
      scheduler.after(delayMs, wire, Kind.network, () => this.#peer!.#take(reset));
    };
    const end = links.onHeal(find);
  }
}

function joined({ chunks, bytes }: Segment): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
