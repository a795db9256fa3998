// GET and HEAD: one page from an offset; with `live`, one that waits for its first message (long-poll), or events as
// they come (sse). Pages are the same for everybody, so caches may keep them.

import type { Context } from "hono";
import { invalid } from "../error.ts";
import { cachedPage, isMatch } from "../page-cache.ts";
import type { Door } from "../route.ts";
import { cursor, safetyHeaders, standingHeaders } from "./answer-headers.ts";
import type { LiveEvents } from "./live-events.ts";
import { PageBody } from "./page-body.ts";
import { offsetText, parseReadFrom, type ReadFrom } from "./position.ts";
import { contentTypeDefault } from "./stream-config.ts";
import { streamPath } from "./stream-name.ts";
import { type Page, positionOf, readPage, tailOf } from "./stream-reader.ts";
import type { Stream, StreamTable } from "./stream-table.ts";

/** Of records before they are decoded. */
const pageBytes = 1024 * 1024;

export async function readStream(
  door: Door,
  table: StreamTable,
  live: LiveEvents,
  context: Context,
): Promise<Response> {
  const path = streamPath(context.req.path);
  if (context.req.method === "HEAD") return describe(await table.find(path));
  const { from, live: mode } = readQuery(context);
  const stream = await table.find(path);
  table.life.touch(stream.topic);
  const request = { context, from: from ?? "start" };
  if (mode === "sse") return live.answer(stream, request);
  if (mode === "long-poll") return longPoll(door, table, stream, request);
  return catchUp(door, table, stream, request);
}

interface ReadRequest {
  readonly context: Context;
  readonly from: ReadFrom;
}

/** Unknown parameters are let be: caches and proxies add theirs. */
function readQuery(context: Context): { from: ReadFrom | null; live: string | null } {
  const offsets = context.req.queries("offset") ?? [];
  if (offsets.length > 1) throw invalid("query: offset: given more than once");
  const [offset] = offsets;
  const from = offset === undefined ? null : parseReadFrom(offset);
  const live = context.req.query("live") ?? null;
  if (live === null) return { from, live };
  if (live !== "long-poll" && live !== "sse") throw invalid("query: live: long-poll or sse");
  if (from === null) throw invalid("query: live: needs an offset to begin at");
  return { from, live };
}

async function describe(stream: Stream): Promise<Response> {
  const { config } = stream;
  const { ttlSeconds, expiresAtMs } = config;
  const headers: Record<string, string> = {
    ...standingHeaders(await tailOf(stream)),
    "content-type": config.contentType ?? contentTypeDefault,
    "cache-control": "no-store",
  };
  if (ttlSeconds !== null) headers["stream-ttl"] = String(ttlSeconds);
  if (expiresAtMs !== null) headers["stream-expires-at"] = new Date(expiresAtMs).toISOString();
  return new Response(null, { headers });
}

async function catchUp(
  door: Door,
  table: StreamTable,
  stream: Stream,
  { context, from }: ReadRequest,
): Promise<Response> {
  if (from === "now") return nothingYet(stream);
  const position = await positionOf(stream, from);
  const memory = (bytes: number) => door.pageMemory.take(context, bytes);
  const asked = { position, bytesMax: pageBytes, waitMs: 0, memory };
  const page = await readPage(door, table, stream, asked);
  const tag = entityTag(stream, position, page);
  const headers = { ...pageHeaders(stream, page), etag: tag };
  if (isMatch(context.req.header("if-none-match"), tag)) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(page.body.bytes(), { headers });
}

async function nothingYet(stream: Stream): Promise<Response> {
  const { position, isClosed } = await tailOf(stream);
  const headers = {
    ...standingHeaders({ position, isClosed, isUpToDate: true }),
    "content-type": stream.config.contentType ?? contentTypeDefault,
    "cache-control": "no-store",
  };
  return new Response(new PageBody(stream.config).bytes(), { headers });
}

async function longPoll(
  door: Door,
  table: StreamTable,
  stream: Stream,
  { context, from }: ReadRequest,
): Promise<Response> {
  const { clock, random } = door.platform;
  const position = await positionOf(stream, from);
  const waitMs = door.config.limits.longPollMs;
  const { signal } = context.req.raw;
  const asked = { position, bytesMax: pageBytes, waitMs, signal };
  const page = await table.life.during(stream.topic, () => readPage(door, table, stream, asked));
  const headers: Record<string, string> = pageHeaders(stream, page);
  if (!page.isClosed || page.body.count > 0) {
    headers["stream-cursor"] = cursor(clock.nowMs(), context.req.query("cursor"), random);
  }
  if (page.body.count > 0) {
    headers.etag = entityTag(stream, position, page);
    return new Response(page.body.bytes(), { headers });
  }
  headers["cache-control"] = "no-store";
  headers["stream-up-to-date"] = "true";
  return new Response(null, { status: 204, headers });
}

function pageHeaders({ config }: Stream, page: Page): Record<string, string> {
  return {
    ...standingHeaders(page),
    "content-type": config.contentType ?? contentTypeDefault,
    // Nothing new is no page: a cache that kept it would hide what comes.
    "cache-control": page.body.count > 0 ? cachedPage : "no-store",
  };
}

/** The same bytes, and the same news about the end. */
function entityTag({ topic, partition }: Stream, position: number, page: Page): string {
  const end = page.isClosed ? ":c" : "";
  return `"${topic.id}:${partition}:${offsetText(position)}:${offsetText(page.position)}${end}"`;
}

/** What a browser may send and see from another origin is answered by the door's own list of origins. */
export function allowedHere(): Response {
  const headers = {
    ...safetyHeaders,
    allow: "GET, HEAD, PUT, POST, DELETE, OPTIONS",
    "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE",
    "access-control-allow-headers": allowedRequestHeaders.join(", "),
  };
  return new Response(null, { status: 204, headers });
}

export const allowedRequestHeaders = [
  "authorization",
  "content-type",
  "if-none-match",
  "producer-epoch",
  "producer-id",
  "producer-seq",
  "stream-closed",
  "stream-expires-at",
  "stream-fork-offset",
  "stream-fork-sub-offset",
  "stream-forked-from",
  "stream-seq",
  "stream-ttl",
] as const;
