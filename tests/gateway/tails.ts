// Many tails of one partition over SSE, as web pages hold them: each follows by itself, comes back with the id of its
// last event when the gateway dies, and ends with a hash over the data of all its events.

import { createHash } from "node:crypto";
import { type ClientRequest, get } from "node:http";

export interface TailTotals {
  /** Of each tail. */
  readonly hashes: readonly string[];
  readonly reconnects: number;
  readonly bytes: number;
}

const retryMs = 100;
const end = Buffer.from("\n\n");

/** Resolves when all have seen so many records. */
export class Tails {
  readonly #tails: readonly Tail[];

  constructor(url: string, options: { count: number; records: number }) {
    this.#tails = Array.from({ length: options.count }, () => new Tail(url, options.records));
  }

  /** Records that the slowest of them has seen. */
  get seen(): number {
    return Math.min(...this.#tails.map(({ seen }) => seen));
  }

  async done(): Promise<TailTotals> {
    const hashes = await Promise.all(this.#tails.map(({ done }) => done));
    const sum = (of: (tail: Tail) => number) =>
      this.#tails.reduce((all, tail) => all + of(tail), 0);
    return { hashes, reconnects: sum((tail) => tail.reconnects), bytes: sum((tail) => tail.bytes) };
  }

  stop(): void {
    for (const tail of this.#tails) tail.stop();
  }
}

class Tail {
  readonly done: Promise<string>;
  seen = 0;
  reconnects = 0;
  bytes = 0;
  readonly #url: string;
  readonly #wanted: number;
  readonly #hash = createHash("sha256");
  #lastId: string | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #request: ClientRequest | undefined;
  #finish: (hash: string) => void = () => {};
  #isOver = false;

  constructor(url: string, wanted: number) {
    this.#url = url;
    this.#wanted = wanted;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#open();
  }

  stop(): void {
    this.#isOver = true;
    this.#request?.destroy();
  }

  #open(): void {
    if (this.#isOver) return;
    this.#rest = Buffer.alloc(0);
    let isLost = false;
    const lost = () => {
      if (isLost || this.#isOver) return;
      isLost = true;
      this.reconnects++;
      setTimeout(() => this.#open(), retryMs);
    };
    const headers = {
      accept: "text/event-stream",
      ...(this.#lastId === undefined ? {} : { "last-event-id": this.#lastId }),
    };
    this.#request = get(this.#url, { headers, agent: false }, (response) => {
      if (response.statusCode !== 200) {
        response.resume();
        return lost();
      }
      response.on("data", (chunk: Buffer) => this.#take(chunk)).on("close", lost);
      response.on("error", lost);
    }).on("error", lost);
  }

  #take(chunk: Buffer): void {
    this.bytes += chunk.length;
    const all = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (let to = all.indexOf(end, from); to >= 0 && !this.#isOver; to = all.indexOf(end, from)) {
      this.#event(all.subarray(from, to));
      from = to + end.length;
    }
    this.#rest = all.subarray(from);
  }

  /** One event: lines `id:`, `data:`, and others that do not matter here. */
  #event(event: Buffer): void {
    const text = event.toString("latin1");
    const id = field(text, "id");
    const data = field(text, "data");
    if (id !== undefined) this.#lastId = id;
    if (data === undefined || field(text, "event") === "error") return;
    this.#hash.update(data).update("\n");
    this.seen++;
    if (this.seen < this.#wanted) return;
    this.stop();
    this.#finish(this.#hash.digest("hex"));
  }
}

function field(event: string, name: string): string | undefined {
  const at = event.startsWith(`${name}:`) ? 0 : event.indexOf(`\n${name}:`) + 1;
  if (at === 0 && !event.startsWith(`${name}:`)) return undefined;
  const to = event.indexOf("\n", at);
  return event.slice(at + name.length + 1, to < 0 ? undefined : to).trimStart();
}
