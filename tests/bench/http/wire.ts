// The load's side of HTTP: requests as bytes made once, answers cut at their ends and not kept. Much less work than a
// client that people would use, so that the server is the limit.

import * as net from "node:net";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly head: string;
  readonly bodyBytes: number;
}

const headEnd = "\r\n\r\n";

/** One request as bytes. */
export function request(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: Uint8Array,
): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = method === "GET" ? "" : `content-length: ${body?.length ?? 0}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nhost: bench\r\n${lines.join("")}${length}\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), body ?? Buffer.alloc(0)]);
}

export function headerOf({ head }: Answer, name: string): string | undefined {
  return new RegExp(`\r\n${name}: *([^\r]*)`).exec(head)?.[1];
}

/** One connection with one request under way. */
export class Wire {
  readonly #socket: net.Socket;
  #settle: { done: (answer: Answer) => void; fail: (error: Error) => void } | null = null;
  #head: string | null = null;
  #held: Buffer | null = null;
  #status = 0;
  #body = 0;
  /** Bytes of the body still to come; of a chunked one those of the chunk, -1 before its size line. */
  #left = 0;
  #isChunked = false;
  #line = "";

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#take(bytes));
    socket.on("error", (error) => this.#settle?.fail(error));
    socket.on("close", () => this.#settle?.fail(new Error("the connection was closed")));
  }

  static open(address: Address): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ ...address, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new Wire(socket)));
    });
  }

  send(bytes: Buffer): Promise<Answer> {
    return new Promise((done, fail) => {
      this.#settle = { done, fail };
      this.#socket.write(bytes);
    });
  }

  /** Throws unless it is answered with 2xx. */
  async must(bytes: Buffer): Promise<Answer> {
    const answer = await this.send(bytes);
    if (answer.status < 300) return answer;
    throw new Error(`${bytes.toString("latin1", 0, 80)}: ${answer.head}`);
  }

  close(): void {
    this.#settle = null;
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    let rest = bytes;
    if (this.#head === null) {
      if (this.#held !== null) rest = Buffer.concat([this.#held, rest]);
      const end = rest.indexOf(headEnd);
      this.#held = end < 0 ? rest : null;
      if (end < 0) return;
      this.#begin(rest.toString("latin1", 0, end).toLowerCase());
      rest = rest.subarray(end + headEnd.length);
    }
    if (this.#isChunked) this.#takeChunks(rest);
    else {
      this.#body += rest.length;
      this.#left -= rest.length;
      if (this.#left <= 0) this.#end();
    }
  }

  #begin(head: string): void {
    this.#head = head;
    this.#status = Number(head.slice(9, 12));
    this.#body = 0;
    this.#line = "";
    this.#isChunked = head.includes("\r\ntransfer-encoding: chunked");
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    this.#left = this.#isChunked ? -1 : Number(this.#status === 204 ? 0 : (length ?? 0));
  }

  /** Size line, bytes, line end, again and again; a size of zero and an empty line are the end. */
  #takeChunks(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        this.#body += taken;
        at += taken;
        if (this.#left === 0) this.#left = -1;
        continue;
      }
      const newline = bytes.indexOf(10, at);
      if (newline < 0) {
        this.#line += bytes.toString("latin1", at);
        return;
      }
      const line = (this.#line + bytes.toString("latin1", at, newline)).trim();
      this.#line = "";
      at = newline + 1;
      if (this.#left === 0 && line === "") {
        this.#end();
        return;
      }
      // The line end behind a chunk.
      if (line !== "") this.#left = Number.parseInt(line, 16);
    }
  }

  #end(): void {
    const settle = this.#settle;
    const answer = { status: this.#status, head: this.#head ?? "", bodyBytes: this.#body };
    this.#head = null;
    this.#settle = null;
    settle?.done(answer);
  }
}
