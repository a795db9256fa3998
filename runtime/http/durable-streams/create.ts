// PUT: makes a stream, or confirms that it is there as asked. A fork is a stream whose first records are another's.
// The topic comes first, then the first messages: a PUT that was cut in between is completed by its repetition.

import type { Context } from "hono";
import { BrokerError } from "../../errors.ts";
import { withBody } from "../body.ts";
import { HttpError, invalid } from "../error.ts";
import type { Door } from "../route.ts";
import { safetyHeaders, standingHeaders } from "./answer-headers.ts";
import { messagesOf } from "./messages.ts";
import { parseOffset } from "./position.ts";
import { readClosed, readLife, readNumber } from "./request-headers.ts";
import {
  contentTypeDefault,
  type ForkPoint,
  mediaType,
  type StreamConfig,
  topicConfigs,
} from "./stream-config.ts";
import { streamPath, topicOfPath } from "./stream-name.ts";
import { forkDepthMax, readPage, tailOf } from "./stream-reader.ts";
import type { Stream, StreamTable } from "./stream-table.ts";

/** How long a PUT waits until a topic that another one makes can be seen here. */
const visibleMsMax = 5_000;
const visibleLookMs = 5;
/** Read at once to find where a fork leaves its source. */
const forkReadBytes = 1024 * 1024;
const contentTypeLengthMax = 256;

export interface Wish {
  readonly path: string;
  readonly config: StreamConfig;
  readonly isClosed: boolean;
  /** First messages of the stream itself; of a fork after what it took of a record. */
  readonly values: readonly Uint8Array[];
  readonly namesForkOffset: boolean;
}

export async function createStream(
  door: Door,
  table: StreamTable,
  context: Context,
  created: (stream: Stream) => void,
): Promise<Response> {
  const path = streamPath(context.req.path);
  return withBody(door, context, async (body) => {
    const wish = await readWish(door, table, context, { path, body });
    const existing = await livingStream(table, path);
    if (existing !== undefined) return confirm(existing, wish);
    const isOurs = await createTopic(door, wish);
    const stream = await visible(door, table, path);
    if (!isOurs) return confirm(stream, wish);
    await checkSource(table, stream);
    await appendFirst(stream, wish);
    table.life.touch(stream.topic);
    created(stream);
    const location = new URL(context.req.url);
    location.search = "";
    return answer(stream, { status: 201, location: location.href });
  });
}

async function readWish(
  door: Door,
  table: StreamTable,
  context: Context,
  { path, body }: { path: string; body: Uint8Array },
): Promise<Wish> {
  const given = contentTypeIn(context);
  const life = readLife(context);
  const isClosed = readClosed(context);
  const from = context.req.header("stream-forked-from");
  if (from === undefined) {
    refuseForkHeaders(context);
    const contentType = given ?? contentTypeDefault;
    const isJson = mediaType(contentType) === "application/json";
    const config = { contentType, isJson, ...life, usedMs: null, fork: null, isGone: false };
    const values = messagesOf(body, { isJson });
    return { path, config, isClosed, values, namesForkOffset: false };
  }
  const source = sourceOf(table, from);
  const contentType = given ?? source.config.contentType ?? contentTypeDefault;
  const { isJson } = source.config;
  checkSameType(contentType, source);
  const namesForkOffset = context.req.header("stream-fork-offset") !== undefined;
  const fork = await forkPoint(context, source);
  const inherits = life.ttlSeconds === null && life.expiresAtMs === null;
  const { ttlSeconds, expiresAtMs } = inherits ? source.config : life;
  const config = {
    contentType,
    isJson,
    ttlSeconds,
    expiresAtMs,
    usedMs: null,
    fork,
    isGone: false,
  };
  const prefix = await prefixOf(door, table, source, fork);
  const values = [...prefix, ...messagesOf(body, { isJson })];
  return { path, config, isClosed, values, namesForkOffset };
}

function refuseForkHeaders(context: Context): void {
  for (const name of ["stream-fork-offset", "stream-fork-sub-offset"]) {
    if (context.req.header(name) !== undefined) throw invalid(`${name} needs stream-forked-from`);
  }
}

/** Null: none was given. */
export function contentTypeIn(context: Context): string | null {
  const given = context.req.header("content-type")?.trim();
  if (given === undefined || given === "") return null;
  if (given.length <= contentTypeLengthMax && /^[\w.+-]+\/[\w.+*-]+\s*(;.*)?$/.test(given)) {
    return given;
  }
  throw invalid("content-type: not TYPE/SUBTYPE");
}

// ---- forks ----

function sourceOf(table: StreamTable, from: string): Stream {
  const path = streamPath(from);
  const source = table.peek(path);
  if (source === undefined || (!source.config.isGone && table.life.isOver(source.topic))) {
    const what = `stream-forked-from: there is no stream ${JSON.stringify(path)}`;
    throw new HttpError("UNKNOWN_TOPIC_OR_PARTITION", what);
  }
  if (source.config.isGone) throw conflict(`stream-forked-from: ${path} was removed`);
  let depth = 0;
  for (let at: Stream | undefined = source; at?.config.fork != null; depth++) {
    if (depth >= forkDepthMax) throw invalid(`a fork of more than ${forkDepthMax} forks`);
    at = table.source(at.config.fork);
  }
  return source;
}

function checkSameType(contentType: string, { config }: Stream): void {
  const ofSource = config.contentType ?? contentTypeDefault;
  if (mediaType(contentType) === mediaType(ofSource)) return;
  throw conflict(`content-type: the stream it is forked from has ${ofSource}`);
}

async function forkPoint(context: Context, source: Stream): Promise<ForkPoint> {
  const given = context.req.header("stream-fork-offset");
  const subOffset = readNumber(context, "stream-fork-sub-offset") ?? 0;
  const tail = (await tailOf(source)).position;
  const position =
    given === undefined || given === "now"
      ? tail
      : given === "-1"
        ? 0
        : parseOffset(given, "stream-fork-offset");
  if (position > tail) throw invalid("stream-fork-offset: behind the end of the stream");
  if (source.config.isJson && position + subOffset > tail) throw overshoots();
  const { topic, partition } = source;
  return { topic: topic.name, partition, topicId: topic.id, position, subOffset };
}

/** The first bytes of the record at the fork's position: what the fork takes of it becomes its own first record. */
async function prefixOf(
  door: Door,
  table: StreamTable,
  source: Stream,
  { position, subOffset }: ForkPoint,
): Promise<Uint8Array[]> {
  if (subOffset === 0 || source.config.isJson) return [];
  const request = { position, endPosition: position + 1, bytesMax: forkReadBytes, waitMs: 0 };
  const { body } = await readPage(door, table, source, request);
  if (subOffset > body.length) throw overshoots();
  return [body.bytes().slice(0, subOffset)];
}

function overshoots(): HttpError {
  return invalid("stream-fork-sub-offset: behind the next end of a message");
}

/** The source may have been removed while its fork was made. */
async function checkSource(table: StreamTable, stream: Stream): Promise<void> {
  const { fork } = stream.config;
  if (fork === null) return;
  const source = table.source(fork);
  if (source !== undefined && !source.config.isGone) return;
  await table.remove(stream);
  throw conflict("stream-forked-from: it was removed meanwhile");
}

// ---- the stream itself ----

/** A stream whose time is over makes room; one that is only kept for its forks does not. */
async function livingStream(table: StreamTable, path: string): Promise<Stream | undefined> {
  const stream = table.peek(path);
  if (stream === undefined) return undefined;
  if (stream.config.isGone) throw conflict(`stream ${path} was removed; it is kept for its forks`);
  if (!table.life.isOver(stream.topic)) return stream;
  await table.remove(stream);
  return livingStream(table, path);
}

/** False if another one is faster. */
async function createTopic(door: Door, { path, config }: Wish): Promise<boolean> {
  try {
    await door.broker.createTopic({
      name: topicOfPath(path),
      partitions: 1,
      replicationFactor: -1,
      configs: topicConfigs(config),
    });
    return true;
  } catch (error) {
    if (error instanceof BrokerError && error.code === "TOPIC_ALREADY_EXISTS") return false;
    throw error;
  }
}

async function visible(door: Door, table: StreamTable, path: string): Promise<Stream> {
  const { clock } = door.platform;
  const startMs = clock.monotonicMs();
  for (;;) {
    const stream = table.peek(path);
    if (stream !== undefined) return stream;
    if (clock.monotonicMs() - startMs > visibleMsMax) {
      throw new BrokerError("REQUEST_TIMED_OUT", "the stream is made, and not visible here yet");
    }
    await new Promise<void>((resolve) => clock.after(visibleLookMs, resolve));
  }
}

async function appendFirst({ log }: Stream, { values, isClosed }: Wish): Promise<void> {
  if (values.length === 0 && !isClosed) return;
  const claim = { producer: null, seq: null, closes: isClosed, hasBody: values.length > 0 };
  const { verdict } = await log.append({ claim, values });
  if (verdict.kind !== "append") throw conflict("another request wrote first");
}

/** 200 if it is what was asked for; else 409. */
async function confirm(stream: Stream, wish: Wish): Promise<Response> {
  const difference = differenceOf(stream.config, wish);
  if (difference !== null) throw conflict(`the stream exists with another ${difference}`);
  let { state, end } = await stream.log.refreshed();
  // Whoever made it did not come to its first messages.
  if (end === 0 && !state.isClosed && (wish.values.length > 0 || wish.isClosed)) {
    await appendFirst(stream, wish);
    ({ state, end } = await stream.log.refreshed());
  }
  if (state.isClosed !== wish.isClosed) {
    throw conflict(`the stream exists and is ${state.isClosed ? "closed" : "open"}`);
  }
  return answer(stream, { status: 200 });
}

function differenceOf(has: StreamConfig, { config: wanted, namesForkOffset }: Wish): string | null {
  const typeOf = ({ contentType }: StreamConfig) => mediaType(contentType ?? contentTypeDefault);
  if (typeOf(has) !== typeOf(wanted)) return "content type";
  if (has.ttlSeconds !== wanted.ttlSeconds) return "stream-ttl";
  if (has.expiresAtMs !== wanted.expiresAtMs) return "stream-expires-at";
  const { fork } = wanted;
  if (has.fork === null || fork === null) return has.fork === fork ? null : "stream-forked-from";
  if (has.fork.topicId !== fork.topicId || has.fork.partition !== fork.partition) {
    return "stream-forked-from";
  }
  if (namesForkOffset && has.fork.position !== fork.position) return "stream-fork-offset";
  return has.fork.subOffset === fork.subOffset ? null : "stream-fork-sub-offset";
}

async function answer(
  stream: Stream,
  { status, location }: { status: number; location?: string },
): Promise<Response> {
  const { position, isClosed } = await tailOf(stream);
  const headers = {
    ...standingHeaders({ position, isClosed }),
    "content-type": stream.config.contentType ?? contentTypeDefault,
    ...(location === undefined ? {} : { location }),
  };
  return new Response(null, { status, headers });
}

export function conflict(message: string, headers: Readonly<Record<string, string>> = {}) {
  return new HttpError("INVALID_REQUEST", message, {
    status: 409,
    headers: { ...safetyHeaders, ...headers },
  });
}
