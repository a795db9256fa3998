// The protocol's request headers, read strictly: numbers without leading zeros, signs or fractions, RFC 3339 times, all
// three producer headers or none. Throws INVALID_REQUEST. Header names are the protocol's.

import type { Context } from "hono";
import { invalid } from "../error.ts";
import type { ProducerMark } from "./writer-state.ts";

const wholeNumber = /^(0|[1-9]\d{0,15})$/;
const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;
/** Of a producer's id and of a Stream-Seq: both are stored with the record. */
const textLengthMax = 512;

export interface Life {
  readonly ttlSeconds: number | null;
  readonly expiresAtMs: number | null;
}

export function readLife(context: Context): Life {
  const ttl = context.req.header("stream-ttl");
  const expires = context.req.header("stream-expires-at");
  if (ttl !== undefined && expires !== undefined) {
    throw invalid("stream-ttl and stream-expires-at exclude each other");
  }
  const ttlSeconds = ttl === undefined ? null : number(ttl, "stream-ttl");
  if (expires === undefined) return { ttlSeconds, expiresAtMs: null };
  const expiresAtMs = rfc3339.test(expires) ? Date.parse(expires) : Number.NaN;
  if (Number.isNaN(expiresAtMs)) throw invalid("stream-expires-at: no RFC 3339 time");
  return { ttlSeconds, expiresAtMs };
}

export function readClosed(context: Context): boolean {
  return context.req.header("stream-closed")?.trim().toLowerCase() === "true";
}

export function readSeq(context: Context): string | null {
  const seq = context.req.header("stream-seq");
  return seq === undefined ? null : bounded(seq, "stream-seq");
}

export function readProducer(context: Context): ProducerMark | null {
  const id = context.req.header("producer-id");
  const epoch = context.req.header("producer-epoch");
  const seq = context.req.header("producer-seq");
  if (id === undefined && epoch === undefined && seq === undefined) return null;
  if (id === undefined || epoch === undefined || seq === undefined) {
    throw invalid("producer-id, producer-epoch and producer-seq come together");
  }
  if (id === "") throw invalid("producer-id: empty");
  return {
    id: bounded(id, "producer-id"),
    epoch: number(epoch, "producer-epoch"),
    seq: number(seq, "producer-seq"),
  };
}

/** Null unless the header is there. */
export function readNumber(context: Context, name: string): number | null {
  const text = context.req.header(name);
  return text === undefined ? null : number(text, name);
}

function number(text: string, where: string): number {
  const value = wholeNumber.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw invalid(`${where}: no whole number from 0 to 2^53-1, written plainly`);
}

function bounded(text: string, where: string): string {
  if (text.length <= textLengthMax) return text;
  throw invalid(`${where}: longer than ${textLengthMax} characters`);
}
