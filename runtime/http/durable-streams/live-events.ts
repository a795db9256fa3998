// live=sse: a data event per page, each followed by a control event that says where to go on. Text goes as it is, line
// by line; other types as base64. A stream's life is bounded, so that caches and balancers get their turn. All who
// follow a stream share one read of it.

import type { Context } from "hono";
import { encodeBase64 } from "../base64.ts";
import { isUnexpected } from "../error.ts";
import { eventHeaders } from "../event-stream.ts";
import { LiveFeeds, type Turn, type TurnRequest, type TurnSource } from "../live-feed.ts";
import { LiveTail, SharedForm } from "../live-tail.ts";
import type { Door } from "../route.ts";
import { pushedAnswer, takeSlot } from "../streams.ts";
import { cursor, isCursorAhead, safetyHeaders } from "./answer-headers.ts";
import { offsetText, type ReadFrom } from "./position.ts";
import { contentTypeDefault, mediaType } from "./stream-config.ts";
import { type Page, positionOf, readPage } from "./stream-reader.ts";
import type { Stream, StreamTable } from "./stream-table.ts";

/** The protocol asks for about a minute; not for all at once, or they would all come back at once. */
const lifeMsMax = 60_000;
const lifeSpreadMs = 10_000;
const pageBytes = 256 * 1024;

interface PageTurn extends Turn {
  readonly page: Page;
}

interface LiveRequest {
  readonly context: Context;
  readonly from: ReadFrom;
}

export class LiveEvents {
  readonly #door: Door;
  readonly #table: StreamTable;
  readonly #feeds: LiveFeeds<PageTurn>;

  constructor(door: Door, table: StreamTable) {
    this.#door = door;
    this.#table = table;
    this.#feeds = new LiveFeeds(door.platform.clock);
  }

  async answer(stream: Stream, { context, from }: LiveRequest): Promise<Response> {
    const release = this.#hold(stream);
    try {
      const tail = await this.#open(stream, { context, from }, release);
      const headers: Record<string, string> = {
        ...safetyHeaders,
        ...eventHeaders,
        "cache-control": "no-cache",
      };
      if (!isText(stream)) headers["stream-sse-data-encoding"] = "base64";
      return pushedAnswer(context, tail, headers);
    } catch (error) {
      release();
      throw error;
    }
  }

  async #open(
    stream: Stream,
    { context, from }: LiveRequest,
    release: () => void,
  ): Promise<LiveTail<PageTurn>> {
    const { clock, random } = this.#door.platform;
    const position = await positionOf(stream, from);
    const key = `${stream.topic.id}/${stream.partition}`;
    const source = this.#source(stream);
    const head = this.#feeds.head(key);
    const end = head === undefined || head <= position ? {} : { endPosition: head };
    // What is wrong is told while there is still a status to say it with.
    const first = await source.read({ position, waitMs: 0, ...end });
    const feed = this.#feeds.open(key, () => source);
    const given = context.req.query("cursor");
    const make = () => new SharedForm<PageTurn>((turn) => this.#events(stream, turn, given));
    // A cursor that is ahead of the time must move on from there: nobody else is told that one.
    const form = isCursorAhead(clock.nowMs(), given) ? make() : feed.form("", make);
    const lifeMs = lifeMsMax - random.integer(lifeSpreadMs);
    return new LiveTail(feed, { form, first, opening: "", lifeMs, release });
  }

  /** A slot among the door's streams, and the stream's life as long as it is read. */
  #hold({ topic }: Stream): () => void {
    const slot = takeSlot(this.#door);
    const life = this.#table.life.hold(topic);
    let isHeld = true;
    return () => {
      if (isHeld) life();
      isHeld = false;
      slot();
    };
  }

  #source(stream: Stream): TurnSource<PageTurn> {
    const { config, report } = this.#door;
    return {
      read: (request) => this.#read(stream, request),
      keepaliveMs: config.limits.sseKeepaliveMs,
      report: (error) => {
        if (isUnexpected(error)) report(error, "a live stream");
      },
    };
  }

  async #read(stream: Stream, request: TurnRequest): Promise<PageTurn> {
    const { position: from, waitMs } = request;
    const wait = Math.min(waitMs, this.#door.config.limits.fetchWaitMsMax);
    const asked = { ...request, bytesMax: pageBytes, waitMs: wait };
    const page = await readPage(this.#door, this.#table, stream, asked);
    const { position: next, isUpToDate, isClosed: isLast } = page;
    return { page, from, next, isUpToDate, isLast };
  }

  #events(stream: Stream, { page }: PageTurn, given: string | undefined): string {
    const data = page.body.count === 0 ? "" : `event: data\n${dataOf(stream, page)}\n`;
    return `${data}event: control\ndata:${JSON.stringify(this.#control(page, given))}\n\n`;
  }

  #control({ position, isUpToDate, isClosed }: Page, given: string | undefined) {
    const { clock, random } = this.#door.platform;
    const streamNextOffset = offsetText(position);
    if (isClosed) return { streamNextOffset, streamClosed: true, upToDate: true };
    const streamCursor = cursor(clock.nowMs(), given, random);
    return { streamNextOffset, streamCursor, ...(isUpToDate ? { upToDate: true } : {}) };
  }
}

function dataOf(stream: Stream, { body }: Page): string {
  const bytes = body.bytes();
  if (!isText(stream)) return `data:${encodeBase64(bytes)}\n`;
  return dataLines(new TextDecoder().decode(bytes));
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
