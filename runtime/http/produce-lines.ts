// POST of an NDJSON stream: records as long as it lasts, in bounded memory. Answers with one sum at the end,
// or, where the client accepts NDJSON, with one line per stored batch while it goes on.

import type { Context } from "hono";
import type { Timer } from "../platform.ts";
import { tailOffset } from "./appends.ts";
import { bodyChunks } from "./body.ts";
import { errorAnswer, HttpError } from "./error.ts";
import { recordTexts } from "./json-text.ts";
import { LineSplitter } from "./lines.ts";
import type { Producer } from "./producer.ts";
import { readRecord } from "./record-input.ts";
import { RecordWriter } from "./record-writer.ts";
import type { Door } from "./route.ts";
import { linesMediaType, stoppedBy, storedAnswer } from "./stored.ts";
import { parseJson } from "./validation.ts";

/** What one stream of lines takes of the budget of body bytes. */
const streamLeaseBytes = 256 * 1024;
/** Acknowledgements kept for a client that does not read them, before its body waits. */
const acksMax = 1000;

export async function produceLines(
  door: Door,
  producer: Producer,
  context: Context,
): Promise<Response> {
  const writer = await RecordWriter.open(door, producer);
  const body = context.req.raw.body;
  await door.inflight.acquire(streamLeaseBytes);
  if (context.req.header("accept")?.includes(linesMediaType)) {
    return acknowledging(door, writer, body);
  }
  try {
    await writeLines(door, writer, body);
  } finally {
    door.inflight.release(streamLeaseBytes);
  }
  return storedAnswer(writer.appends, "line");
}

/** Writes all lines up to the first that fails, then waits for the appends under way. Never rejects. */
async function writeLines(
  door: Door,
  writer: RecordWriter,
  body: ReadableStream<Uint8Array> | null,
  room: () => Promise<void> | undefined = () => undefined,
): Promise<void> {
  const { appends } = writer;
  const linger = new Linger(door, writer);
  const splitter = new LineSplitter(door.config.limits.lineBytesMax);
  let line = 0;
  const take = async (lines: readonly (string | null)[]): Promise<void> => {
    for (const text of lines) {
      line++;
      addLine(door, writer, { text, line });
      if (appends.isFull) await appends.room();
      if (appends.failure !== null) return;
    }
    linger.start();
    await room();
  };
  try {
    for await (const chunk of bodyChunks(door, body, door.config.limits.linesSilenceMsMax)) {
      await take(splitter.add(chunk));
      if (appends.failure !== null) break;
    }
    if (appends.failure === null) await take(splitter.end());
  } catch (error) {
    // What came before the fault is stored, and told.
    writer.flush();
    appends.fail(error, Math.max(1, line));
  } finally {
    linger.stop();
    await writer.settle();
  }
}

function addLine(
  door: Door,
  writer: RecordWriter,
  { text, line }: { text: string | null; line: number },
): void {
  if (text === null) throw new HttpError("INVALID_REQUEST", "not UTF-8 text");
  if (text.trim() === "") return;
  const nowMs = door.platform.clock.nowMs();
  const given = parseJson(text);
  const defaults = { ...writer.producer.defaults, nowMs };
  writer.add(
    readRecord(given, () => recordTexts(text)[0]!, defaults),
    line,
  );
}

/** Sends what waits after a short time, however slowly lines come. */
class Linger {
  readonly #door: Door;
  readonly #writer: RecordWriter;
  #timer: Timer | null = null;

  constructor(door: Door, writer: RecordWriter) {
    this.#door = door;
    this.#writer = writer;
  }

  start(): void {
    if (this.#timer !== null || !this.#writer.hasPending) return;
    this.#timer = this.#door.platform.clock.after(this.#door.config.limits.batchLingerMs, () => {
      this.#timer = null;
      this.#writer.flush();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}

/** An answer that names each stored batch while lines still come, and ends with the sum or the error. */
function acknowledging(
  door: Door,
  writer: RecordWriter,
  body: ReadableStream<Uint8Array> | null,
): Response {
  const acks: string[] = [];
  let changed = signal();
  let ended = false;
  writer.onStored = ({ partition, indexes, appended }) => {
    const { baseOffset: start_offset, nextOffset: end_offset } = appended;
    const lines = { first_line: indexes[0], last_line: indexes[indexes.length - 1] };
    const tail_offset = tailOffset(door, { topic: writer.producer.topic, partition }, appended);
    acks.push(JSON.stringify({ partition, start_offset, end_offset, tail_offset, ...lines }));
    changed.wake();
  };
  const room = async (): Promise<void> => {
    while (acks.length > acksMax && !ended) await changed.woken;
  };
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>(
    {
      start() {
        writeLines(door, writer, body, room).finally(() => {
          door.inflight.release(streamLeaseBytes);
          acks.push(lastLine(writer));
          ended = true;
          changed.wake();
        });
      },
      async pull(controller) {
        while (acks.length === 0 && !ended) await changed.woken;
        if (acks.length > 0) controller.enqueue(encoder.encode(`${acks.splice(0).join("\n")}\n`));
        else controller.close();
        const before = changed;
        changed = signal();
        before.wake();
      },
      cancel() {
        ended = true;
        writer.appends.fail(new HttpError("NETWORK_EXCEPTION", "the client is gone"), 0);
        changed.wake();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { headers: { "content-type": linesMediaType } });
}

function lastLine(writer: RecordWriter): string {
  const error = stoppedBy(writer.appends, "line");
  return JSON.stringify(
    error === null ? { stored: writer.appends.summary() } : errorAnswer(error).body,
  );
}

/** A promise that is woken from outside. */
function signal(): { readonly woken: Promise<void>; wake(): void } {
  let wake = () => {};
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  return { woken, wake };
}
