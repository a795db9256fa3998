// Requests to the HTTP door as a user's program makes them: JSON in and out, and server-sent events read one
// by one. An answer with an unexpected status fails with its whole text.

export interface JsonRequest {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The status that is expected; 2xx by default. */
  readonly status?: number;
}

const REQUEST_MS_MAX = 20_000;

/** Sends a request and returns the whole answer. Objects are sent as JSON, strings and bytes as they are. */
export async function request(url: string, options: JsonRequest = {}): Promise<Response> {
  const { body } = options;
  const isRaw = body === undefined || typeof body === "string" || body instanceof Uint8Array;
  const headers = { ...(isRaw ? {} : { "content-type": "application/json" }), ...options.headers };
  const response = await fetch(url, {
    method: options.method ?? (body === undefined ? "GET" : "POST"),
    headers,
    body: isRaw ? ((body ?? null) as BodyInit | null) : JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_MS_MAX),
  });
  const isExpected =
    options.status === undefined ? response.ok : response.status === options.status;
  if (!isExpected) {
    throw new Error(`${options.method ?? ""} ${url}: ${response.status} ${await response.text()}`);
  }
  return response;
}

/** The same, for answers in JSON whose shape the caller knows. */
export async function requestJson<T>(url: string, options: JsonRequest = {}): Promise<T> {
  return (await (await request(url, options)).json()) as T;
}

export interface ServerEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** An open stream of server-sent events. */
export class EventStream {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #abort: AbortController;
  readonly #decoder = new TextDecoder();
  #text = "";

  private constructor(reader: ReadableStreamDefaultReader<Uint8Array>, abort: AbortController) {
    this.#reader = reader;
    this.#abort = abort;
  }

  static async open(url: string, lastEventId?: string): Promise<EventStream> {
    const abort = new AbortController();
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (lastEventId !== undefined) headers["last-event-id"] = lastEventId;
    const response = await fetch(url, { headers, signal: abort.signal });
    const type = response.headers.get("content-type") ?? "";
    if (!response.ok || !type.startsWith("text/event-stream") || response.body === null) {
      throw new Error(`${url}: ${response.status} ${type} ${await response.text()}`);
    }
    return new EventStream(response.body.getReader(), abort);
  }

  /** The next `count` events that carry data; comments that keep the connection alive do not count. */
  async take(count: number, limitMs = REQUEST_MS_MAX): Promise<ServerEvent[]> {
    const late = setTimeout(() => this.#abort.abort(new Error("no event in time")), limitMs);
    const events: ServerEvent[] = [];
    try {
      while (events.length < count) events.push(await this.#next());
    } finally {
      clearTimeout(late);
    }
    return events;
  }

  close(): void {
    this.#abort.abort();
    this.#reader.cancel().catch(() => {});
  }

  async #next(): Promise<ServerEvent> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const event = parseEvent(this.#text.slice(0, end));
        this.#text = this.#text.slice(end + 2);
        if (event.data !== "") return event;
      } else {
        const { done, value } = await this.#reader.read();
        if (done) throw new Error(`the stream ended after: ${this.#text}`);
        this.#text += this.#decoder.decode(value, { stream: true }).replaceAll("\r\n", "\n");
      }
    }
  }
}

function parseEvent(block: string): ServerEvent {
  const fields = { id: "", event: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, name = "", value = ""] = /^(id|event|data): ?(.*)$/.exec(line) ?? [];
    if (name === "data") fields.data += (fields.data === "" ? "" : "\n") + value;
    else if (name === "id" || name === "event") fields[name] = value;
  }
  return fields;
}
