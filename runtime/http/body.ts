// Request bodies: read whole under a limit, or chunk by chunk, both inside one budget of bytes in memory.
// A body that does not fit the budget stays unread in its socket, so the sender is slowed, not refused.

import type { Context } from "hono";
import type { Clock, HttpContext, Timer } from "../platform.ts";
import { HttpError } from "./error.ts";
import type { HttpLimits } from "./limits.ts";
import type { Door, HttpCounters } from "./route.ts";

/** The budget of body bytes in memory; those who wait are served in order. */
export class InflightBudget {
  readonly #clock: Clock;
  readonly #limits: HttpLimits;
  readonly #counters: HttpCounters;
  #held = 0;
  readonly #waiting: { bytes: number; go: () => void }[] = [];

  constructor(options: { clock: Clock; limits: HttpLimits; counters: HttpCounters }) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#counters = options.counters;
  }

  /** Takes `bytes`, at once (undefined) or when they are free. Throws 503 after `inflightWaitMsMax`. */
  acquire(bytes: number): Promise<void> | undefined {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return this.#wait(bytes);
    this.#hold(bytes);
    return undefined;
  }

  release(bytes: number): void {
    this.#hold(-bytes);
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const next = this.#waiting.shift()!;
      this.#hold(next.bytes);
      next.go();
    }
  }

  /** One body always fits into an empty budget. */
  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#limits.inflightBytesMax;
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    this.#counters.inflightBytes += bytes;
  }

  #wait(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: Timer | null = null;
      const waiter = {
        bytes,
        go() {
          timer?.cancel();
          resolve();
        },
      };
      timer = this.#clock.after(this.#limits.inflightWaitMsMax, () => {
        const at = this.#waiting.indexOf(waiter);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(busy("the server holds as many request bytes as it may; try again"));
      });
      this.#waiting.push(waiter);
    });
  }
}

/** 503 with Retry-After: a limit of this server, not of the request. */
export function busy(message: string): HttpError {
  return new HttpError("THROTTLING_QUOTA_EXCEEDED", message, {
    status: 503,
    headers: { "retry-after": "1" },
  });
}

/** Reads the whole body, at most `bodyBytesMax`, hands it to `use`, and gives its budget back after that. */
export async function withBody<T>(
  door: Door,
  context: Context,
  use: (body: Uint8Array) => T | Promise<T>,
): Promise<T> {
  const { bodyBytesMax } = door.config.limits;
  const declared = declaredLength(context);
  if (declared > bodyBytesMax) throw tooLarge(bodyBytesMax);
  const lease = { bytes: 0 };
  try {
    const body =
      declared >= 0
        ? await readDeclared(door, context, { declared, lease })
        : await readCounted(door, context, lease);
    return await use(body);
  } finally {
    door.inflight.release(lease.bytes);
  }
}

/**
 * The same, as text; bytes that are no UTF-8 are refused. Where the length is known the runtime decodes: on
 * Node that saves a copy, a tenth of a plain append.
 */
export async function withText<T>(
  door: Door,
  context: Context,
  use: (text: string) => T | Promise<T>,
): Promise<T> {
  const declared = declaredLength(context);
  const { bodyBytesMax } = door.config.limits;
  if (declared < 0) return withBody(door, context, (body) => use(bodyText(body)));
  if (declared > bodyBytesMax) throw tooLarge(bodyBytesMax);
  const waiting = door.inflight.acquire(declared);
  if (waiting !== undefined) await waiting;
  try {
    const here = await takeBody(context, declared);
    if (here !== undefined) return await use(bodyText(here));
    const text = await whole(door, declared, context.req.raw.text());
    if (text.includes("\ufffd")) checkReplaced(text, declared);
    return await use(text);
  } finally {
    door.inflight.release(declared);
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const byteOrderMarkBytes = 3;

function bodyText(body: Uint8Array): string {
  try {
    return strictUtf8.decode(body);
  } catch (cause) {
    throw new HttpError("INVALID_REQUEST", "body: not UTF-8 text", { cause });
  }
}

/** U+FFFD may have been sent, or stand for bytes that were none: then the length has changed. */
function checkReplaced(text: string, declared: number): void {
  const { length } = new TextEncoder().encode(text);
  if (length === declared || length + byteOrderMarkBytes === declared) return;
  throw new HttpError("INVALID_REQUEST", "body: not UTF-8 text");
}

/**
 * A body that came with its head, as small ones do: no listeners, no copy, nothing to be late. The platform has it
 * once it is through with what it received, which is before a promise goes on.
 */
async function takeBody(context: Context, bytes: number): Promise<Uint8Array | undefined> {
  const platform = (context.env ?? {}) as HttpContext;
  if (platform.takeBody === undefined) return undefined;
  await null;
  return platform.takeBody(bytes);
}

/** A body of known length. */
function whole<T>(door: Door, bytes: number, read: Promise<T>): Promise<T> {
  const { bodyMsMax, bodyBytesPerSecond } = door.config.limits;
  return door.slowBodies.within(bodyMsMax + (bytes / bodyBytesPerSecond) * 1000, read);
}

/** The body's chunks as they come. A connection that breaks or falls silent ends in one clear error. */
export async function* bodyChunks(
  door: Door,
  body: ReadableStream<Uint8Array> | null,
  silenceMsMax = door.config.limits.bodySilenceMsMax,
): AsyncGenerator<Uint8Array, void, void> {
  if (body === null) return;
  const reader = body.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await door.slowBodies.within(silenceMsMax, reader.read());
      if (done) {
        ended = true;
        return;
      }
      if (value.length > 0) yield value;
    }
  } finally {
    if (!ended) reader.cancel().catch(() => {});
  }
}

/** Content-Length, -1 if the body comes without. */
function declaredLength(context: Context): number {
  const text = context.req.header("content-length");
  return text === undefined || !/^\d{1,15}$/.test(text) ? -1 : Number(text);
}

/** What a body of unknown length takes of the budget first; it takes as much again whenever that is full. */
const leaseBytesFirst = 256 * 1024;

async function readDeclared(
  door: Door,
  context: Context,
  { declared, lease }: { declared: number; lease: { bytes: number } },
): Promise<Uint8Array> {
  const waiting = door.inflight.acquire(declared);
  if (waiting !== undefined) await waiting;
  lease.bytes = declared;
  const here = await takeBody(context, declared);
  if (here !== undefined) return here;
  return new Uint8Array(await whole(door, declared, context.req.raw.arrayBuffer()));
}

async function readCounted(
  door: Door,
  context: Context,
  lease: { bytes: number },
): Promise<Uint8Array> {
  const { bodyBytesMax } = door.config.limits;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bodyChunks(door, context.req.raw.body)) {
    length += chunk.length;
    if (length > bodyBytesMax) throw tooLarge(bodyBytesMax);
    while (lease.bytes < length) {
      const more = lease.bytes === 0 ? leaseBytesFirst : lease.bytes;
      await door.inflight.acquire(more);
      lease.bytes += more;
    }
    chunks.push(chunk);
  }
  return concat(chunks, length);
}

/** One array of all chunks, `length` bytes in sum. */
export function concat<Memory extends ArrayBufferLike>(
  chunks: readonly Uint8Array<Memory>[],
  length: number,
): Uint8Array<Memory | ArrayBuffer> {
  if (chunks.length === 1) return chunks[0]!;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

export function tooLarge(bytesMax: number): HttpError {
  return new HttpError(
    "MESSAGE_TOO_LARGE",
    `body: larger than ${bytesMax} bytes (timberline.http.body.max.bytes); ` +
      "send application/x-ndjson, which has no total limit, or several requests",
    { details: { limit_bytes: bytesMax } },
  );
}
