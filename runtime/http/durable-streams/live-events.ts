// live=sse: a data event per page, each followed by a control event that says where to go on. Text goes as it is, line
// by line; other types as base64. A stream's life is bounded, so that caches and balancers get their turn.

import { encodeBase64 } from "../base64.ts";
import { errorAnswer, isUnexpected } from "../error.ts";
import type { Door } from "../route.ts";
import { takeSlot } from "../streams.ts";
import { cursor, safetyHeaders } from "./answer-headers.ts";
import { bodyOf } from "./messages.ts";
import { offsetText, type ReadFrom } from "./position.ts";
import { contentTypeDefault, mediaType } from "./stream-config.ts";
import { type Page, positionOf, readPage } from "./stream-reader.ts";
import type { Stream, StreamTable } from "./stream-table.ts";

/** The protocol asks for about a minute. */
const lifeMsMax = 60_000;
const pageBytes = 256 * 1024;

interface LiveContext {
  readonly req: {
    readonly raw: { readonly signal: AbortSignal };
    query(name: string): string | undefined;
  };
}

export async function liveEvents(
  door: Door,
  table: StreamTable,
  stream: Stream,
  { context, from }: { readonly context: LiveContext; readonly from: ReadFrom },
): Promise<Response> {
  const release = takeSlot(door);
  try {
    const position = await positionOf(stream, from);
    // What is wrong is told while there is still a status to say it with.
    const first = await readPage(door, table, stream, { position, bytesMax: pageBytes, waitMs: 0 });
    const body = new LiveBody(door, table, stream, { context, first, release });
    const headers: Record<string, string> = {
      ...safetyHeaders,
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      // nginx would gather events otherwise.
      "x-accel-buffering": "no",
    };
    if (!isText(stream)) headers["stream-sse-data-encoding"] = "base64";
    return new Response(body.readable(), { headers });
  } catch (error) {
    release();
    throw error;
  }
}

class LiveBody {
  readonly #door: Door;
  readonly #table: StreamTable;
  readonly #stream: Stream;
  readonly #first: Page;
  readonly #release: () => void;
  readonly #cursor: string | undefined;
  readonly #gone = new AbortController();
  readonly #endsAtMs: number;
  readonly #encoder = new TextEncoder();
  readonly #signal: AbortSignal;
  readonly #end = () => this.#finish();
  #position: number;
  #isCancelled = false;

  constructor(
    door: Door,
    table: StreamTable,
    stream: Stream,
    parts: { context: LiveContext; first: Page; release: () => void },
  ) {
    this.#door = door;
    this.#table = table;
    this.#stream = stream;
    this.#first = parts.first;
    this.#position = parts.first.position;
    this.#release = parts.release;
    this.#cursor = parts.context.req.query("cursor");
    this.#signal = parts.context.req.raw.signal;
    this.#endsAtMs = door.platform.clock.monotonicMs() + lifeMsMax;
    // Some runtimes abort the request, some cancel the body, some do both.
    this.#signal.addEventListener("abort", this.#end, { once: true });
    if (this.#signal.aborted) this.#finish();
  }

  readable(): ReadableStream<Uint8Array> {
    const opening = this.#events(this.#first);
    let isLast = this.#first.isClosed;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          controller.enqueue(this.#encoder.encode(opening));
        },
        pull: async (controller) => {
          const text = isLast ? null : await this.#next();
          if (this.#isCancelled) return;
          if (text !== null) {
            controller.enqueue(this.#encoder.encode(text.events));
            isLast = text.isLast;
          } else isLast = true;
          if (!isLast) return;
          this.#finish();
          controller.close();
        },
        cancel: () => {
          this.#isCancelled = true;
          this.#finish();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Null at the end of its life, or when its client or the stream is gone. */
  async #next(): Promise<{ events: string; isLast: boolean } | null> {
    const { clock } = this.#door.platform;
    const leftMs = this.#endsAtMs - clock.monotonicMs();
    if (leftMs <= 0 || this.#gone.signal.aborted) return null;
    const waitMs = Math.ceil(Math.min(this.#door.config.limits.sseKeepaliveMs, leftMs));
    try {
      const page = await this.#page(waitMs);
      if (this.#gone.signal.aborted) return null;
      if (page.values.length === 0 && page.position === this.#position && !page.isClosed) {
        return { events: ": keepalive\n\n", isLast: false };
      }
      this.#position = page.position;
      return { events: this.#events(page), isLast: page.isClosed };
    } catch (error) {
      if (this.#gone.signal.aborted) return null;
      if (isUnexpected(error)) this.#door.report(error, "a live stream");
      const { body } = errorAnswer(error);
      return { events: `event: error\ndata: ${JSON.stringify(body)}\n\n`, isLast: true };
    }
  }

  #page(waitMs: number): Promise<Page> {
    const { signal } = this.#gone;
    const asked = { position: this.#position, bytesMax: pageBytes, waitMs, signal };
    return this.#table.life.during(this.#stream.topic, () =>
      readPage(this.#door, this.#table, this.#stream, asked),
    );
  }

  #events(page: Page): string {
    const data = page.values.length === 0 ? "" : `event: data\n${this.#data(page)}\n`;
    return `${data}event: control\ndata:${JSON.stringify(this.#control(page))}\n\n`;
  }

  #data({ values }: Page): string {
    const body = bodyOf(values, this.#stream.config);
    if (!isText(this.#stream)) return `data:${encodeBase64(body)}\n`;
    return dataLines(new TextDecoder().decode(body));
  }

  #control({ position, isUpToDate, isClosed }: Page): Record<string, unknown> {
    const { clock, random } = this.#door.platform;
    const streamNextOffset = offsetText(position);
    if (isClosed) return { streamNextOffset, streamClosed: true, upToDate: true };
    const streamCursor = cursor(clock.nowMs(), this.#cursor, random);
    return { streamNextOffset, streamCursor, ...(isUpToDate ? { upToDate: true } : {}) };
  }

  #finish(): void {
    this.#signal.removeEventListener("abort", this.#end);
    this.#gone.abort();
    this.#release();
  }
}

/** Every line ending that the format knows begins a new line: nothing in a message can end its event. */
export function dataLines(text: string): string {
  return (
    text
      .split(/\r\n|\r|\n/)
      // One space after the colon is not counted as data.
      .map((line) => (line.startsWith(" ") ? `data: ${line}\n` : `data:${line}\n`))
      .join("")
  );
}

function isText({ config }: Stream): boolean {
  const type = mediaType(config.contentType ?? contentTypeDefault);
  return config.isJson || type.startsWith("text/");
}
