// NDJSON and SSE answers: records as the client takes them, so that a slow reader holds one chunk and no more.
// A stream ends when its client is gone, when its ends are reached, or after its life; SSE ids resume it.

import type { Context } from "hono";
import type { FetchRequest } from "../broker.ts";
import type { HttpContext } from "../platform.ts";
import { type BodySource, pushedBody } from "../pushed-body.ts";
import { errorAnswer, HttpError, invalid } from "./error.ts";
import { errorEvent, eventHeaders, keepaliveComment } from "./event-stream.ts";
import type { LiveRecords } from "./live-records.ts";
import { checkPartitionExists, resolveStart, type Start } from "./position.ts";
import { noPartition } from "./producer.ts";
import { PulledStream, type StreamForm } from "./pulled-stream.ts";
import type { Encoding } from "./record-input.ts";
import { type RecordView, recordJson } from "./record-output.ts";
import type { Door } from "./route.ts";
import { linesMediaType } from "./stored.ts";
import { Tail, type TailRecord } from "./tail.ts";

type StreamFormat = "sse" | "ndjson";

interface StreamQuery extends Start {
  readonly isolation?: FetchRequest["isolation"] | undefined;
  readonly key_encoding?: Encoding | undefined;
  readonly value_encoding?: Encoding | undefined;
  readonly max_records?: number | undefined;
  readonly follow?: boolean | undefined;
}

interface StreamRequest {
  readonly topic: string;
  readonly format: StreamFormat;
  readonly query: StreamQuery;
}

/** One partition. SSE ids are offsets; Last-Event-ID goes on after its offset. */
export async function partitionStream(
  door: Door,
  live: LiveRecords,
  context: Context,
  request: StreamRequest & { readonly partition: number },
): Promise<Response> {
  const { partition, format, query } = request;
  const last = lastEventId(context, request);
  if (last !== null && !/^(-1|\d{1,15})$/.test(last)) {
    throw invalid("last-event-id: not an offset that this stream gave");
  }
  const resumedAt = last === null ? null : Number(last) + 1;
  if (format === "sse" && query.max_records === undefined) {
    return openLive(door, live, context, { ...request, resumedAt });
  }
  return openStream(door, context, {
    ...request,
    partitions: [partition],
    resumed: resumedAt === null ? null : new Map([[partition, resumedAt]]),
    withNewPartitions: false,
    idOf: (positions) => String(positions.get(partition)! - 1),
  });
}

/** All partitions, or those of `?partitions=`. SSE ids are `partition:offset,…` of the last records read. */
export function topicStream(
  door: Door,
  context: Context,
  request: StreamRequest & { readonly query: { readonly partitions?: string | undefined } },
): Promise<Response> {
  const { topic, query } = request;
  const count = checkPartitionExists(door, topic, 0);
  const named = query.partitions === undefined ? null : partitionList(query.partitions);
  for (const partition of named ?? []) {
    if (partition >= count) throw noPartition(topic, partition, count);
  }
  const partitions = named ?? Array.from({ length: count }, (_, partition) => partition);
  const { streamPartitionsMax } = door.config.limits;
  if (partitions.length > streamPartitionsMax) {
    throw invalid(
      `one stream follows ${streamPartitionsMax} partitions: choose by ?partitions=0,1,2`,
    );
  }
  const last = lastEventId(context, request);
  return openStream(door, context, {
    ...request,
    partitions,
    resumed: last === null ? null : parsePositions(last),
    withNewPartitions: named === null,
    idOf: (positions) => [...positions].map(([p, offset]) => `${p}:${offset - 1}`).join(","),
  });
}

interface OpenRequest extends StreamRequest {
  readonly partitions: readonly number[];
  /** Positions of Last-Event-ID: they win over the query. */
  readonly resumed: ReadonlyMap<number, number> | null;
  readonly withNewPartitions: boolean;
  readonly idOf: (positions: ReadonlyMap<number, number>) => string;
}

/** One partition as SSE for as long as the client stays: all who follow it share its reads. */
async function openLive(
  door: Door,
  live: LiveRecords,
  context: Context,
  request: StreamRequest & { readonly partition: number; readonly resumedAt: number | null },
): Promise<Response> {
  const { topic, partition, query, resumedAt } = request;
  const isolation = query.isolation ?? "read_uncommitted";
  const place = { topic, partition, isolation } as const;
  const start = { ...place, start: query, fallback: "latest" } as const;
  const offset = resumedAt ?? (await resolveStart(door, start));
  const view = { keyEncoding: query.key_encoding, valueEncoding: query.value_encoding };
  const release = takeSlot(door);
  try {
    const tail = await live.open(place, { offset, view, release });
    return pushedAnswer(context, tail, ownEventHeaders);
  } catch (error) {
    release();
    throw error;
  }
}

async function openStream(door: Door, context: Context, request: OpenRequest): Promise<Response> {
  const { topic, format, query, resumed } = request;
  const isolation = query.isolation ?? "read_uncommitted";
  const fallback = format === "sse" ? "latest" : "earliest";
  const positions = new Map<number, number>();
  const ends = format === "sse" || query.follow === true ? null : new Map<number, number>();
  for (const partition of request.partitions) {
    const at = { topic, partition, isolation, fallback } as const;
    // A partition that the id does not know came after it: all its records are new.
    const start = resumed === null ? query : { offset: "earliest" };
    const known = resumed?.get(partition);
    positions.set(partition, known ?? (await resolveStart(door, { ...at, start })));
    ends?.set(partition, await resolveStart(door, { ...at, start: { offset: "latest" } }));
  }
  const recordsMax = query.max_records ?? Number.POSITIVE_INFINITY;
  const withNewPartitions = request.withNewPartitions && ends === null;
  const tail = new Tail(door, { topic, positions, ends, withNewPartitions, isolation, recordsMax });
  const release = takeSlot(door);
  try {
    // The first turn tells what is wrong while there is still a status to say it with.
    const first = await tail.next(0);
    const view = { keyEncoding: query.key_encoding, valueEncoding: query.value_encoding };
    const form =
      format === "sse" ? new EventForm(view, positions, request.idOf) : new LineForm(view);
    const stream = new PulledStream(door, { tail, form, first, release });
    return pushedAnswer(context, stream, form.headers);
  } catch (error) {
    release();
    throw error;
  }
}

/** An answer whose body `source` makes; by the platform itself where it can, which costs a fraction. */
export function pushedAnswer(
  context: Pick<Context, "env" | "req">,
  source: BodySource,
  headers: Readonly<Record<string, string>>,
): Response {
  const { push } = (context.env ?? {}) as HttpContext;
  if (push === undefined) {
    return new Response(pushedBody(source, context.req.raw.signal), { headers });
  }
  push.call(context.env, source);
  return new Response(null, { headers });
}

/** Counts the stream among those under way; the returned function ends that, once. */
export function takeSlot(door: Door): () => void {
  const { counters, config } = door;
  if (counters.sseStreams >= config.limits.streamsMax) {
    const message = `${config.limits.streamsMax} streams are open (timberline.http.sse.streams.max)`;
    throw new HttpError("THROTTLING_QUOTA_EXCEEDED", message, { headers: { "retry-after": "5" } });
  }
  counters.sseStreams++;
  let isTaken = true;
  return () => {
    if (isTaken) counters.sseStreams--;
    isTaken = false;
  };
}

const ownEventHeaders = { ...eventHeaders, "cache-control": "no-store" };

class LineForm implements StreamForm {
  readonly headers = { "content-type": linesMediaType, "cache-control": "no-store" };
  readonly #view: RecordView;

  constructor(view: RecordView) {
    this.#view = view;
  }

  opening(): string {
    return "";
  }

  records(records: readonly TailRecord[]): string {
    return records
      .map(({ record, partition }) => `${recordJson(record, partition, this.#view)}\n`)
      .join("");
  }

  silence(): string {
    return "";
  }

  error(error: unknown): string {
    return `${JSON.stringify(errorAnswer(error).body)}\n`;
  }
}

class EventForm implements StreamForm {
  readonly headers = ownEventHeaders;
  readonly #view: RecordView;
  readonly #positions: Map<number, number>;
  readonly #idOf: (positions: ReadonlyMap<number, number>) => string;

  constructor(
    view: RecordView,
    positions: ReadonlyMap<number, number>,
    idOf: (positions: ReadonlyMap<number, number>) => string,
  ) {
    this.#view = view;
    this.#positions = new Map(positions);
    this.#idOf = idOf;
  }

  /** An id without data: a client that is cut before its first record resumes where this stream began. */
  opening(): string {
    return `retry: 1000\nid: ${this.#idOf(this.#positions)}\n\n`;
  }

  records(records: readonly TailRecord[]): string {
    let text = "";
    for (const { record, partition } of records) {
      this.#positions.set(partition, record.offset + 1);
      const id = this.#idOf(this.#positions);
      text += `id: ${id}\ndata: ${recordJson(record, partition, this.#view)}\n\n`;
    }
    return text;
  }

  silence(): string {
    return keepaliveComment;
  }

  error(error: unknown): string {
    return errorEvent(error);
  }
}

function lastEventId(context: Context, { format }: StreamRequest): string | null {
  const given = format === "sse" ? context.req.header("last-event-id") : undefined;
  return given === undefined || given === "" ? null : given;
}

function partitionList(text: string): number[] {
  if (!/^\d{1,9}(,\d{1,9})*$/.test(text))
    throw invalid("query: partitions: not a list such as 0,1,2");
  return [...new Set(text.split(",").map(Number))];
}

function parsePositions(id: string): Map<number, number> {
  if (!/^\d{1,9}:(-1|\d{1,15})(,\d{1,9}:(-1|\d{1,15}))*$/.test(id)) {
    throw invalid("last-event-id: not a position that this stream gave");
  }
  return new Map(
    id.split(",").map((each) => {
      const [partition, offset] = each.split(":").map(Number) as [number, number];
      return [partition, offset + 1];
    }),
  );
}
