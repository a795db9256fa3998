// HttpNetwork: the client's connections where there is no TCP, or no way to the brokers: each is a sequence of POSTs to
// `/v1/kafka`, whose bodies are the very bytes a socket would carry. One POST at a time, with all requests that have
// come meanwhile, keeps their order; whoever waits long (a consumer, a joining member) has a connection of its own.

import type { Connection, Network } from "../platform.ts";
import { type Address, addressText, isHttpAddress } from "./address.ts";
import { ClientError, type ClientErrorCode } from "./error.ts";

const framesMediaType = "application/vnd.timberline.kafka";
/** Requests that wait go together up to this; a larger one goes alone. */
const postBytesMax = 4 * 1024 * 1024;
/** Statuses that another try does not change. */
const finalStatuses: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 413, 415]);
const messageCharsMax = 1_000;

/** The part of `fetch` that is used: the runtime's own, or one that adds what a door in front asks for. */
export type Fetch = (url: string, init: FetchInit) => Promise<Response>;

export interface FetchInit {
  readonly method: "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly signal: AbortSignal;
}

/** Brokers are reached through the first of `doors` that answers; the door itself is reached at its own address. */
export function httpNetwork(doors: readonly Address[], fetch: Fetch): Pick<Network, "dial"> {
  let preferred = 0;
  return {
    async dial(address) {
      if (isHttpAddress(address)) return new HttpConnection(address, urlOf(address.host), fetch);
      const own = preferred % doors.length;
      const url = urlOf(doors[own]!.host);
      url.searchParams.set("broker", addressText(address));
      return new HttpConnection(address, url, async (asked, init) => {
        try {
          return await fetch(asked, init);
        } catch (error) {
          // The next connection goes through the next door.
          if (preferred % doors.length === own) preferred++;
          throw error;
        }
      });
    },
  };
}

function urlOf(door: string): URL {
  return new URL("v1/kafka", door.endsWith("/") ? door : `${door}/`);
}

class HttpConnection implements Connection {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #url: string;
  readonly #fetch: Fetch;
  readonly #abort = new AbortController();
  /** What is written between cork and uncork is one request, as is any other write. */
  #requests: Uint8Array[][] = [];
  #written: (() => void)[] = [];
  #corks = 0;
  #isPosting = false;
  #isEnding = false;
  #isOver = false;
  #resume: (() => void) | undefined;
  #isPaused = false;
  #receive: (chunk: Uint8Array) => void = () => {};
  #closed: (error: Error | undefined) => void = () => {};

  constructor({ host, port }: Address, url: URL, fetch: Fetch) {
    this.remoteAddress = host;
    this.remotePort = port;
    this.#url = url.href;
    this.#fetch = fetch;
  }

  onData(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive;
  }

  onClose(closed: (error: Error | undefined) => void): void {
    this.#closed = closed;
  }

  write(bytes: Uint8Array, written?: () => void): boolean {
    if (written !== undefined) this.#written.push(written);
    if (this.#isOver) this.#noteWritten();
    else if (this.#corks > 0) this.#requests.at(-1)!.push(bytes);
    else this.#requests.push([bytes]);
    this.#postSoon();
    return true;
  }

  /** What waits is bounded by those who write: each has its own limit of requests on their way. */
  onDrain(): void {}

  cork(): void {
    if (this.#corks++ === 0) this.#requests.push([]);
  }

  uncork(): void {
    this.#corks--;
    this.#postSoon();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#resume?.();
  }

  end(): void {
    this.#isEnding = true;
    if (!this.#isPosting && this.#requests.length === 0) this.destroy();
  }

  destroy(): void {
    this.#finish(undefined);
  }

  /** In a turn of its own: requests that are written together go together. */
  #postSoon(): void {
    if (this.#isPosting || this.#isOver || this.#requests.length === 0) return;
    this.#isPosting = true;
    queueMicrotask(() => {
      this.#postAll().then(
        () => {
          this.#isPosting = false;
          if (this.#isEnding) this.destroy();
        },
        (error: unknown) => this.#finish(error instanceof Error ? error : new Error(String(error))),
      );
    });
  }

  async #postAll(): Promise<void> {
    while (this.#requests.length > 0 && !this.#isOver) {
      const answer = await this.#fetch(this.#url, {
        method: "POST",
        headers: { "content-type": framesMediaType },
        body: this.#takeBody(),
        signal: this.#abort.signal,
      });
      if (!answer.ok) throw await refusal(this.#url, answer);
      await this.#read(answer);
    }
  }

  /** A copy, so that those who wrote can use their memory again. */
  #takeBody(): Uint8Array<ArrayBuffer> {
    let length = 0;
    let count = 0;
    for (const request of this.#requests) {
      const bytes = request.reduce((sum, piece) => sum + piece.length, 0);
      if (count > 0 && length + bytes > postBytesMax) break;
      length += bytes;
      count++;
    }
    const body = new Uint8Array(length);
    let at = 0;
    for (const piece of this.#requests.splice(0, count).flat()) {
      body.set(piece, at);
      at += piece.length;
    }
    // With requests left over, the memory of all of them is kept a little longer.
    if (this.#requests.length === 0) this.#noteWritten();
    return body;
  }

  async #read(answer: Response): Promise<void> {
    const reader = answer.body?.getReader();
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done || value === undefined || this.#isOver) return;
      this.#receive(value);
      if (this.#isPaused) await new Promise<void>((resume) => (this.#resume = resume));
    }
  }

  #noteWritten(): void {
    const written = this.#written;
    this.#written = [];
    for (const note of written) queueMicrotask(note);
  }

  #finish(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#requests = [];
    this.#noteWritten();
    this.#resume?.();
    this.#abort.abort();
    queueMicrotask(() => this.#closed(error));
  }
}

async function refusal(url: string, answer: Response): Promise<ClientError> {
  const code: ClientErrorCode = finalStatuses.has(answer.status)
    ? "INVALID_REQUEST"
    : "NETWORK_EXCEPTION";
  const said = messageIn(await answer.text()).slice(0, messageCharsMax);
  return new ClientError(code, `${url} answered ${answer.status}: ${said}`);
}

/** The door's own words, or those of whatever stands before it. */
function messageIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } };
    if (typeof error?.message === "string") return error.message;
  } catch {
    // No JSON: a proxy's page.
  }
  return text.trim();
}
