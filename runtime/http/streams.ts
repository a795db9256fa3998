// NDJSON and SSE answers: records as the client takes them, so that a slow reader holds one chunk and no more.
// A stream ends when its client is gone, when its ends are reached, or after its life; SSE ids resume it.

import type { Context } from "hono";
import type { FetchRequest } from "../broker.ts";
import { type ErrorBody, errorAnswer, HttpError, invalid, isUnexpected } from "./error.ts";
import { checkPartitionExists, resolveStart, type Start } from "./position.ts";
import { noPartition } from "./producer.ts";
import type { Encoding } from "./record-input.ts";
import { type RecordView, recordJson } from "./record-output.ts";
import type { Door } from "./route.ts";
import { linesMediaType } from "./stored.ts";
import { Tail, type TailRecord } from "./tail.ts";

export const eventsMediaType = "text/event-stream";

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
export function partitionStream(
  door: Door,
  context: Context,
  request: StreamRequest & { readonly partition: number },
): Promise<Response> {
  const { partition } = request;
  const last = lastEventId(context, request);
  if (last !== null && !/^(-1|\d{1,15})$/.test(last)) {
    throw invalid("last-event-id: not an offset that this stream gave");
  }
  return openStream(door, context, {
    ...request,
    partitions: [partition],
    resumed: last === null ? null : new Map([[partition, Number(last) + 1]]),
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
    const begin = known === undefined ? start : { offset: `${known}`, clamp: query.clamp };
    positions.set(partition, await resolveStart(door, { ...at, start: begin }));
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
    const body = new RecordStream(door, {
      tail,
      form,
      first,
      release,
      signal: context.req.raw.signal,
    });
    return new Response(body.readable(), { headers: form.headers });
  } catch (error) {
    release();
    throw error;
  }
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

/** How a stream is written. */
interface StreamForm {
  readonly headers: Readonly<Record<string, string>>;
  opening(): string;
  records(records: readonly TailRecord[]): string;
  /** After a silence; empty where the form has nothing to say then. */
  silence(): string;
  error(body: ErrorBody): string;
}

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

  error(body: ErrorBody): string {
    return `${JSON.stringify(body)}\n`;
  }
}

class EventForm implements StreamForm {
  readonly headers = {
    "content-type": eventsMediaType,
    "cache-control": "no-store",
    // nginx would gather events otherwise.
    "x-accel-buffering": "no",
  };
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
    return ": keepalive\n\n";
  }

  error(body: ErrorBody): string {
    return `event: error\ndata: ${JSON.stringify(body)}\n\n`;
  }
}

interface StreamParts {
  readonly tail: Tail;
  readonly form: StreamForm;
  readonly first: readonly TailRecord[];
  readonly release: () => void;
  readonly signal: AbortSignal;
}

/** The answer's body: one turn of the tail per pull. */
class RecordStream {
  readonly #door: Door;
  readonly #parts: StreamParts;
  readonly #gone = new AbortController();
  readonly #endsAtMs: number;
  readonly #encoder = new TextEncoder();
  #isCancelled = false;

  constructor(door: Door, parts: StreamParts) {
    this.#door = door;
    this.#parts = parts;
    this.#endsAtMs = door.platform.clock.monotonicMs() + door.config.limits.streamLifeMsMax;
    // Some runtimes abort the request, some cancel the body, some do both.
    parts.signal.addEventListener("abort", () => this.#end(), { once: true });
    if (parts.signal.aborted) this.#end();
  }

  readable(): ReadableStream<Uint8Array> {
    const { form, first } = this.#parts;
    const opening = form.opening() + form.records(first);
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          if (opening !== "") controller.enqueue(this.#encoder.encode(opening));
        },
        pull: (controller) => this.#pull(controller),
        cancel: () => {
          this.#isCancelled = true;
          this.#end();
        },
      },
      { highWaterMark: 0 },
    );
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    let text: string | null;
    let isLast = false;
    try {
      text = await this.#next();
    } catch (error) {
      if (isUnexpected(error) && !this.#gone.signal.aborted) {
        this.#door.report(error, "a stream of records");
      }
      text = this.#parts.form.error(errorAnswer(error).body);
      isLast = true;
    }
    // A cancelled stream takes nothing more, not even its end.
    if (this.#isCancelled) return;
    if (text !== null && !this.#gone.signal.aborted) controller.enqueue(this.#encoder.encode(text));
    else isLast = true;
    if (!isLast) return;
    this.#end();
    controller.close();
  }

  /** What is to be sent next; null at the end. */
  async #next(): Promise<string | null> {
    const { tail, form } = this.#parts;
    const { clock } = this.#door.platform;
    const { sseKeepaliveMs, fetchWaitMsMax } = this.#door.config.limits;
    while (!tail.isDone && !this.#gone.signal.aborted) {
      const leftMs = this.#endsAtMs - clock.monotonicMs();
      if (leftMs <= 0) return null;
      const waitMs = Math.ceil(Math.min(sseKeepaliveMs, fetchWaitMsMax, leftMs));
      const records = await tail.next(waitMs, this.#gone.signal);
      if (records.length > 0) return form.records(records);
      const silence = this.#gone.signal.aborted ? "" : form.silence();
      if (silence !== "") return silence;
    }
    return null;
  }

  #end(): void {
    this.#gone.abort();
    this.#parts.release();
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
