// Records as answers write them: the writing half of the record form that README.md describes. Text is
// assembled by hand, so that values stored as JSON stand in the answer with all their digits.

import type { DecodedRecord, RecordHeader } from "../../storage-wasm/core.ts";
import { encodeBase64 } from "./base64.ts";
import { compactJson } from "./json-text.ts";
import type { Encoding } from "./record-input.ts";

/** How keys and values shall stand; undefined: text where it is UTF-8, else base64. */
export interface RecordView {
  readonly keyEncoding: Encoding | undefined;
  readonly valueEncoding: Encoding | undefined;
}

/** One record as compact JSON on one line. What is not text says its encoding beside it. */
export function recordJson(record: DecodedRecord, partition: number, view: RecordView): string {
  const key = member("key", record.key, view.keyEncoding);
  const value = member("value", record.value, view.valueEncoding);
  const headers =
    record.headers.length === 0 ? "" : `,"headers":[${record.headers.map(headerJson).join(",")}]`;
  return (
    `{"partition":${partition},"offset":${record.offset},"timestamp":${record.timestampMs},` +
    `${key},${value}${headers}}`
  );
}

// A byte order mark is part of the bytes: it must come back.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const looseUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function member(name: string, bytes: Uint8Array | null, asked: Encoding | undefined): string {
  if (bytes === null) return `"${name}":null`;
  if (asked === "text") return `"${name}":${JSON.stringify(looseUtf8.decode(bytes))}`;
  const text = asked === "base64" ? null : utf8(bytes);
  if (text === null) return `"${name}":"${encodeBase64(bytes)}","${name}_encoding":"base64"`;
  // JSON null would come back as no value at all.
  if (asked === "json" && isJson(text) && text.trim() !== "null") {
    return `"${name}":${compactJson(text)},"${name}_encoding":"json"`;
  }
  return `"${name}":${JSON.stringify(text)}`;
}

function headerJson(header: RecordHeader): string {
  return `{"key":${JSON.stringify(header.key)},${member("value", header.value, undefined)}}`;
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return null;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
