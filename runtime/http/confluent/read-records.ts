// GET of an instance's records: what was asked, and the answer as one stream whose end tells whether it was taken.

import type { Context } from "hono";
import { encodeBase64 } from "../base64.ts";
import { compactJson } from "../json-text.ts";
import type { Door } from "../route.ts";
import { errorCodes, RestError, unprocessable } from "./error.ts";
import type { Instance } from "./instance.ts";
import type { Read, ReadOptions, ReadRecord } from "./instance-reader.ts";
import { acceptedFormat, type EmbeddedFormat, embeddedType } from "./media-type.ts";

const chunkBytes = 256 * 1024;

export interface ReadSource {
  use(): Promise<Instance>;
  read(options: ReadOptions): Promise<Read>;
}

export async function readRecords(
  door: Door,
  context: Context,
  source: ReadSource,
): Promise<Response> {
  const accepted = acceptedFormat(context);
  const { limits } = door.config;
  const waitMs = Math.min(numberIn(context, "timeout") ?? -1, limits.fetchWaitMsMax);
  const given = numberIn(context, "max_bytes") ?? -1;
  const asked = Math.min(given > 0 ? given : limits.fetchBytes, limits.decodeBytesMax);
  const { format } = await source.use();
  if (accepted !== null && accepted !== format) {
    const message = `this consumer instance reads ${format}: ask for ${embeddedType(format)}`;
    throw new RestError(406, message, errorCodes.formatMismatch);
  }
  // The fuller the memory for answers, the smaller this one; while it waits for records it takes none.
  const { bytesMax, release } = door.pages.take(asked);
  release();
  const read = await source.read({ waitMs, bytesMax, signal: context.req.raw.signal });
  return answer(door, read, format);
}

function numberIn(context: Context, name: string): number | undefined {
  const text = context.req.query(name);
  if (text === undefined) return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new RestError(400, `query: ${name}: must be a whole number`);
}

async function answer(door: Door, read: Read, format: EmbeddedFormat): Promise<Response> {
  const headers = { "content-type": embeddedType(format), "cache-control": "no-store" };
  const { records } = read;
  if (records.length === 0) return new Response("[]", { headers });
  try {
    const text = `[${records.map((record) => recordText(record, format)).join(",")}]`;
    return new Response(body(door, read, text), { headers });
  } catch (error) {
    await read.ended(false);
    throw error;
  }
}

/** Asked for more after its last chunk, it was taken; cancelled, it was not. */
function body(door: Door, read: Read, text: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  const lease = door.pages.take(bytes.length);
  const ended = (isTaken: boolean) => {
    lease.release();
    read.ended(isTaken).catch((error: unknown) => {
      // The note stays, and the records come once more.
      door.report(error, "noting that records of a consumer were taken");
    });
  };
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at < bytes.length) {
          controller.enqueue(bytes.subarray(at, at + chunkBytes));
          at += chunkBytes;
          return;
        }
        controller.close();
        ended(true);
      },
      cancel: () => ended(false),
    },
    { highWaterMark: 0 },
  );
}

function recordText(record: ReadRecord, format: EmbeddedFormat): string {
  const { topic, partition, offset, key, value } = record;
  const embedded = (name: string, bytes: Uint8Array | null) => {
    if (bytes === null) return "null";
    if (format === "binary") return `"${encodeBase64(bytes)}"`;
    return jsonText(bytes, `${name} of offset ${offset} in ${topic}-${partition}`);
  };
  return (
    `{"topic":${JSON.stringify(topic)},"key":${embedded("key", key)},` +
    `"value":${embedded("value", value)},"partition":${partition},"offset":${offset}}`
  );
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

function jsonText(bytes: Uint8Array, where: string): string {
  try {
    const text = strictUtf8.decode(bytes);
    JSON.parse(text);
    return compactJson(text);
  } catch {
    const advice = "read it by an instance of format binary, or go on after it by POST positions";
    throw unprocessable(`the ${where} is not JSON: ${advice}`);
  }
}
