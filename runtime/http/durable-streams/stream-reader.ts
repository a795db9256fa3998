// Reading a stream: one page of messages from a position on. A fork's page may begin in the streams it came from; the
// reader walks the chain, and only a stream's own end is ever waited at.

import type { FetchedPartition } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import { collect } from "../../records.ts";
import { HttpError, invalid } from "../error.ts";
import { visitBatches } from "../fetched-records.ts";
import { readPartition } from "../partition-read.ts";
import type { Door } from "../route.ts";
import { PageBody } from "./page-body.ts";
import type { ReadFrom } from "./position.ts";
import { noStream, type Stream, type StreamTable } from "./stream-table.ts";
import { closing } from "./writer-state.ts";

export interface Page {
  readonly body: PageBody;
  /** Where the next page begins. */
  readonly position: number;
  /** Nothing more was there. */
  readonly isUpToDate: boolean;
  /** And nothing more will come. */
  readonly isClosed: boolean;
}

export interface PageRequest {
  readonly position: number;
  readonly bytesMax: number;
  /** First position not wanted; absent: all there is. */
  readonly endPosition?: number;
  /** For the first message at the end of an open stream. */
  readonly waitMs: number;
  readonly signal?: AbortSignal;
  /** Where the page's bytes may lie; absent: in fresh memory. */
  readonly memory?: (bytes: number) => Uint8Array;
}

/** Forks of forks of forks: more are refused when they are made. */
export const forkDepthMax = 64;

/** A stretch of one stream's own records within another's positions. */
interface Stretch {
  readonly stream: Stream;
  /** First position behind it. */
  readonly end: number;
}

/** Where a read begins, and where a new fork does: the end as everybody may see it. */
export async function positionOf(stream: Stream, from: ReadFrom): Promise<number> {
  if (from === "start") return 0;
  if (from !== "now") return from;
  return (await tailOf(stream)).position;
}

export async function tailOf(stream: Stream): Promise<{ position: number; isClosed: boolean }> {
  const { state, end } = await stream.log.refreshed();
  const isClosed = state.isClosed;
  return { position: stream.base + (isClosed ? state.closedAt : end), isClosed };
}

/** Throws 400 for a position behind the end, 410 for one that retention has passed, 404 for a removed stream. */
export async function readPage(
  door: Door,
  table: StreamTable,
  stream: Stream,
  request: PageRequest,
): Promise<Page> {
  const body = new PageBody(stream.config);
  if (request.position >= stream.base) return readOwn(door, stream, { ...request, body });
  const { bytesMax, endPosition = Number.POSITIVE_INFINITY } = request;
  let { position } = request;
  for (const { stream: part, end } of stretches(table, stream)) {
    const to = Math.min(end, stream.base, endPosition);
    while (position < to && body.length < bytesMax) {
      const { count } = body;
      const bytesLeft = bytesMax - body.length;
      const asked = { ...request, position, endPosition: to, bytesMax: bytesLeft, waitMs: 0, body };
      const read = await readOwn(door, part, asked);
      // What the source holds no more, or never held as a message, is passed over.
      position = body.count === count ? to : read.position;
    }
  }
  const bytesLeft = bytesMax - body.length;
  if (bytesLeft <= 0 || position >= endPosition) {
    return { body, position, isUpToDate: false, isClosed: false };
  }
  const waitMs = body.count === 0 ? request.waitMs : 0;
  return readOwn(door, stream, { ...request, position, bytesMax: bytesLeft, waitMs, body });
}

interface OwnRequest extends PageRequest {
  /** What is read is put here. */
  readonly body: PageBody;
}

/** The streams a fork's inherited records lie in, oldest first, each up to where the next one left it. */
function stretches(table: StreamTable, stream: Stream): Stretch[] {
  const chain: Stretch[] = [];
  let at = stream;
  while (at.config.fork !== null && chain.length < forkDepthMax) {
    const source = table.source(at.config.fork);
    if (source === undefined) throw sourceLost(stream);
    const end = Math.min(at.base, chain[0]?.end ?? at.base);
    chain.unshift({ stream: source, end });
    at = source;
  }
  return chain;
}

/** A page of the stream's own records, from `position` ≥ its base. */
async function readOwn(door: Door, stream: Stream, request: OwnRequest): Promise<Page> {
  const { position, endPosition = Number.POSITIVE_INFINITY, body } = request;
  const { bytesMax, waitMs, signal } = request;
  const offset = Math.max(0, position - stream.base);
  const endOffset = endPosition - stream.base;
  const closed = await knownEnd(stream, offset);
  if (closed) return { body, position, isUpToDate: true, isClosed: true };
  const place = { topic: stream.topic.name, partition: stream.partition } as const;
  const isolation = "read_committed" as const;
  const fetched = await readPartition(door, {
    ...place,
    offset,
    bytesMax,
    waitMs,
    isolation,
    signal,
  });
  if (fetched.error !== null) {
    fetched.records.release();
    return failed(door, stream, fetched, request);
  }
  const bytes = await collect(fetched.records, request.memory);
  body.offer(bytes);
  let closedAt: number | null = null;
  const nextOffset = visitBatches(door, fetched, { bytes, offset, endOffset }, (record) => {
    const close = record.headers.length === 0 ? null : closing(record);
    if (close !== "only") body.add(record);
    if (close !== null) closedAt = close === "only" ? record.offset : record.offset + 1;
    return close === null;
  });
  return {
    body,
    position: stream.base + (closedAt ?? nextOffset),
    isUpToDate: closedAt !== null || nextOffset >= fetched.lastStableOffset,
    isClosed: closedAt !== null,
  };
}

/** Whether the stream is closed and ends at `offset`: nothing needs to be fetched then. */
async function knownEnd({ log, config }: Stream, offset: number): Promise<boolean> {
  // A topic that was made elsewhere has no writers of this protocol until one comes.
  if (config.contentType === null && log.known === null) return false;
  let state = log.known ?? (await log.load());
  if (offset > state.end) ({ state } = await log.refreshed());
  return state.isClosed && offset >= state.closedAt;
}

/** Retention may have passed the beginning: then the beginning is where the log starts. */
function failed(
  door: Door,
  stream: Stream,
  { error, logStartOffset }: FetchedPartition,
  request: OwnRequest,
): Promise<Page> {
  const { position } = request;
  if (!(error instanceof BrokerError)) throw error;
  if (error.code === "UNKNOWN_TOPIC_OR_PARTITION") throw noStream(stream.path);
  if (error.code !== "OFFSET_OUT_OF_RANGE") throw error;
  if (position - stream.base >= logStartOffset) {
    throw invalid("query: offset: behind the end of the stream");
  }
  if (position === 0) {
    return readOwn(door, stream, { ...request, position: stream.base + logStartOffset });
  }
  const what = "the stream's records at this offset are no more: begin again with offset=-1";
  throw new HttpError("OFFSET_OUT_OF_RANGE", what, { status: 410 });
}

function sourceLost({ path }: Stream): HttpError {
  const what = `the stream that ${JSON.stringify(path)} was forked from was removed as a topic`;
  return new HttpError("RESOURCE_NOT_FOUND", what, { status: 410 });
}
