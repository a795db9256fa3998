// Raw batches as an answer: pumped from where they lie, memory or file, chunk by chunk as the client takes
// them, never assembled. Cut at the last whole batch, so that a reader needs no rule for torn tails.

import type { FetchedPartition } from "../broker.ts";
import type { FileRange, Records, RecordsPart } from "../records.ts";
import { batchHeaderBytes, batchLength, readBatchFacts } from "./batch-facts.ts";

/** Bytes read from a file at once. */
const chunkBytes = 256 * 1024;
/** Bytes read at once while only headers are looked at. */
const headerChunkBytes = 64 * 1024;

export async function batchesAnswer(
  fetched: FetchedPartition,
  { offset, mediaType, signal }: { offset: number; mediaType: string; signal: AbortSignal },
): Promise<Response> {
  const { records } = fetched;
  let end: { length: number; nextOffset: number };
  try {
    end = await wholeBatches(records, offset);
  } catch (error) {
    records.release();
    throw error;
  }
  const headers = {
    "content-type": mediaType,
    "content-length": String(end.length),
    "timberline-next-offset": String(end.nextOffset),
    "timberline-high-watermark": String(fetched.highWatermark),
    "timberline-last-stable-offset": String(fetched.lastStableOffset),
    "timberline-log-start-offset": String(fetched.logStartOffset),
  };
  if (end.length === 0) {
    records.release();
    return new Response(null, { headers });
  }
  return new Response(pump(records, end.length, signal), { headers });
}

/** Bytes up to the end of the last whole batch, and the offset after it. */
async function wholeBatches(
  records: Records,
  offset: number,
): Promise<{ length: number; nextOffset: number }> {
  const window = new Window(records);
  let length = 0;
  let nextOffset = offset;
  while (records.length - length >= batchHeaderBytes) {
    const header = await window.at(length);
    const bytes = batchLength(header, 0);
    if (records.length - length < bytes) break;
    nextOffset = Math.max(nextOffset, readBatchFacts(header).lastOffset + 1);
    length += bytes;
  }
  return { length, nextOffset };
}

/** Header-sized looks at growing positions, through one small buffer. */
class Window {
  readonly #records: Records;
  readonly #buffer = new Uint8Array(headerChunkBytes);
  #start = 0;
  #length = 0;

  constructor(records: Records) {
    this.#records = records;
  }

  /** The `batchHeaderBytes` at `position`. */
  async at(position: number): Promise<Uint8Array> {
    if (position < this.#start || position + batchHeaderBytes > this.#start + this.#length) {
      await this.#fill(position);
    }
    const at = position - this.#start;
    return this.#buffer.subarray(at, at + batchHeaderBytes);
  }

  async #fill(position: number): Promise<void> {
    this.#start = position;
    this.#length = 0;
    let partStart = 0;
    for (const part of this.#records.parts) {
      const from = Math.max(0, position + this.#length - partStart);
      const room = this.#buffer.length - this.#length;
      if (from < part.length && room > 0) {
        const length = Math.min(part.length - from, room);
        const into = this.#buffer.subarray(this.#length, this.#length + length);
        await readPart(part, { from, into });
        this.#length += length;
      }
      partStart += part.length;
    }
  }
}

async function readPart(
  part: RecordsPart,
  { from, into }: { from: number; into: Uint8Array },
): Promise<void> {
  if (part instanceof Uint8Array) {
    into.set(part.subarray(from, from + into.length));
    return;
  }
  const read = await part.file.read(into, part.position + from);
  if (read < into.length)
    throw new Error(`${part.file.path} ended inside a batch that was fetched`);
}

/** Copies: a chunk that was enqueued is written some time later, when the parts may be gone. */
function pump(records: Records, length: number, signal: AbortSignal): ReadableStream<Uint8Array> {
  let isReleased = false;
  const release = () => {
    if (!isReleased) records.release();
    isReleased = true;
  };
  // A client may go before the first pull; then nobody cancels the stream.
  signal.addEventListener("abort", release, { once: true });
  const pieces = cut(records.parts, length);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = isReleased ? null : pieces.next();
        if (piece === null || piece.done === true) {
          release();
          controller.close();
          return;
        }
        try {
          const chunk = new Uint8Array(piece.value.length);
          await readPart(piece.value.part, { from: piece.value.from, into: chunk });
          controller.enqueue(chunk);
        } catch (error) {
          release();
          controller.error(error);
        }
      },
      cancel: release,
    },
    { highWaterMark: 0 },
  );
}

/** The first `length` bytes of the parts in pieces of at most `chunkBytes`. */
function* cut(
  parts: readonly (Uint8Array | FileRange)[],
  length: number,
): Generator<{ part: RecordsPart; from: number; length: number }, void, void> {
  let left = length;
  for (const part of parts) {
    for (let from = 0; from < part.length && left > 0; ) {
      const bytes = Math.min(chunkBytes, part.length - from, left);
      yield { part, from, length: bytes };
      from += bytes;
      left -= bytes;
    }
  }
}
