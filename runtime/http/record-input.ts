// Records as requests write them, in JSON, NDJSON or as a raw body: the reading half of the record form that
// README.md describes; `record-output.ts` writes the same form.

import type { RecordHeader, RecordInput } from "../../storage-wasm/core.ts";
import { decodeBase64 } from "./base64.ts";
import { type HttpError, invalid } from "./error.ts";
import { compactJson, type MemberTexts } from "./json-text.ts";
import type { HttpLimits } from "./limits.ts";
import { parseTime } from "./time.ts";
import { encodeUtf8 } from "./utf8.ts";

/** How bytes stand in JSON: UTF-8 text, a JSON value (stored as its compact text), or base64. */
export type Encoding = "text" | "json" | "base64";

export interface ProducedRecord extends RecordInput {
  /** Null: chosen by key, or sticky without one. */
  readonly partition: number | null;
}

export interface RecordDefaults {
  readonly keyEncoding: Encoding | undefined;
  readonly valueEncoding: Encoding | undefined;
  /** Timestamp of records that name none. */
  readonly nowMs: number;
  readonly limits: HttpLimits;
}

const loneSurrogate = /\p{Surrogate}/u;
const encodings: readonly unknown[] = ["text", "json", "base64"];

/** `offset` and `topic` are what answers add: a fetched record can be posted as it is. */
const members: ReadonlySet<string> = new Set([
  "key",
  "key_encoding",
  "value",
  "value_encoding",
  "headers",
  "timestamp",
  "partition",
  "offset",
  "topic",
]);

/**
 * One record from its parsed JSON object. `texts` gives the object's source text by member, asked only for
 * values that are stored as JSON. Throws INVALID_REQUEST without saying which record: the caller knows.
 */
export function readRecord(
  given: unknown,
  texts: () => MemberTexts,
  defaults: RecordDefaults,
): ProducedRecord {
  if (!isObject(given)) throw invalid('a record is a JSON object such as {"value":"hello"}');
  for (const name in given) if (!members.has(name)) throw unknownMember(name);
  if (given.value === undefined) throw invalid("value is missing (null is a tombstone)");
  return {
    partition: readPartition(given.partition),
    key: readBytes("key", given, { texts, fallback: defaults.keyEncoding }),
    value: readBytes("value", given, { texts, fallback: defaults.valueEncoding }),
    timestampMs: given.timestamp == null ? defaults.nowMs : readTimestamp(given.timestamp),
    ...(given.headers == null ? {} : { headers: readHeaders(given.headers, defaults.limits) }),
  };
}

/** One record whose value is a raw body; all else stands in the query. */
export function rawRecord(
  value: Uint8Array,
  query: {
    key?: string | undefined;
    timestamp?: string | undefined;
    header?: string | string[] | undefined;
  },
  defaults: RecordDefaults,
): ProducedRecord {
  const headers = query.header === undefined ? [] : [query.header].flat().map(readHeaderText);
  if (headers.length > defaults.limits.recordHeadersMax) throw tooManyHeaders(defaults.limits);
  const encoding = defaults.keyEncoding === "base64" ? "base64" : "text";
  return {
    partition: null,
    key: query.key === undefined ? null : textBytes("key", query.key, encoding),
    value,
    timestampMs: query.timestamp === undefined ? defaults.nowMs : readTimestamp(query.timestamp),
    ...(headers.length > 0 ? { headers } : {}),
  };
}

function readBytes(
  name: "key" | "value",
  given: Readonly<Record<string, unknown>>,
  source: { texts: () => MemberTexts; fallback: Encoding | undefined },
): Uint8Array | null {
  const value = given[name];
  if (value == null) return null;
  const asked = given[`${name}_encoding`] ?? source.fallback;
  if (asked === undefined && typeof value === "string") return textBytes(name, value, "text");
  if (asked === undefined || asked === "json") {
    return encodeUtf8(compactJson(source.texts().get(name)!));
  }
  if (!encodings.includes(asked)) {
    throw invalid(`${name}_encoding is ${JSON.stringify(asked)}, not text, json or base64`);
  }
  if (typeof value !== "string") {
    throw invalid(`${name} is no string, as ${name}_encoding ${String(asked)} demands`);
  }
  return textBytes(name, value, asked as "text" | "base64");
}

function textBytes(name: string, text: string, encoding: "text" | "base64"): Uint8Array {
  if (encoding === "base64") {
    const bytes = decodeBase64(text);
    if (bytes === null) throw invalid(`${name} is not base64 (A-Z a-z 0-9 + / and = padding)`);
    return bytes;
  }
  // TextEncoder would silently store U+FFFD instead.
  if (loneSurrogate.test(text))
    throw invalid(`${name} holds half a surrogate pair, which is no text`);
  return encodeUtf8(text);
}

function readPartition(given: unknown): number | null {
  if (given == null) return null;
  if (!Number.isInteger(given) || (given as number) < 0) {
    throw invalid("partition is not a whole number from 0 on");
  }
  return given as number;
}

function readTimestamp(given: unknown): number {
  const timeMs = typeof given === "string" ? parseTime(given) : given;
  if (!Number.isSafeInteger(timeMs) || (timeMs as number) < 0) {
    throw invalid("timestamp is neither ms since 1970 nor an ISO 8601 time");
  }
  return timeMs as number;
}

function readHeaders(given: unknown, limits: HttpLimits): RecordHeader[] {
  const list = Array.isArray(given) ? given : isObject(given) ? Object.entries(given) : null;
  if (list === null) throw invalid('headers are {"name":"text"} or [{"key":…,"value":…}]');
  if (list.length > limits.recordHeadersMax) throw tooManyHeaders(limits);
  return list.map((entry: unknown) => {
    if (Array.isArray(entry)) return readHeader(entry[0], entry[1], "text");
    if (!isObject(entry)) throw invalid('a header is {"key":"name","value":"text"}');
    return readHeader(entry.key, entry.value, entry.value_encoding ?? "text");
  });
}

function readHeader(key: unknown, value: unknown, encoding: unknown): RecordHeader {
  if (typeof key !== "string") throw invalid("a header's key is a string");
  if (value == null) return { key, value: null };
  if (typeof value !== "string") throw invalid(`header ${key} is neither a string nor null`);
  if (encoding !== "text" && encoding !== "base64") {
    throw invalid(`header ${key}: value_encoding is neither text nor base64`);
  }
  return { key, value: textBytes(`header ${key}`, value, encoding) };
}

function readHeaderText(text: string): RecordHeader {
  const colon = text.indexOf(":");
  if (colon < 1) throw invalid(`query: header: ${JSON.stringify(text)} is not name:value`);
  return { key: text.slice(0, colon), value: encodeUtf8(text.slice(colon + 1).trimStart()) };
}

function tooManyHeaders(limits: HttpLimits): HttpError {
  return invalid(`a record has at most ${limits.recordHeadersMax} headers`);
}

function unknownMember(name: string): HttpError {
  return invalid(
    `a record has no member ${JSON.stringify(name)}; it has key, value, headers, timestamp, partition, ` +
      "key_encoding and value_encoding",
  );
}

function isObject(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}
