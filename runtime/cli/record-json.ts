// A record as one JSON line: what `consume -J` writes and `produce --from` reads; the HTTP door takes and gives the
// same form. Text where the bytes are UTF-8, else base64 with `…_encoding` beside it: every byte comes back.

import { CliError } from "./exit.ts";
import { type FormatRecord, toBase64, toText } from "./format-write.ts";
import { fromBase64, type InputHeader, type InputRecord } from "./input-field.ts";

const utf8 = new TextEncoder();

export function recordToJson(record: FormatRecord): string {
  const topic = record.topic === "" ? "" : `"topic":${JSON.stringify(record.topic)},`;
  const headers =
    record.headers.length === 0 ? "" : `,"headers":[${record.headers.map(headerToJson).join(",")}]`;
  return (
    `{${topic}"partition":${record.partition},"offset":${record.offset},"timestamp":${record.timestampMs},` +
    `${member("key", record.key)},${member("value", record.value)}${headers}}`
  );
}

function headerToJson(header: InputHeader): string {
  return `{"key":${JSON.stringify(header.key)},${member("value", header.value)}}`;
}

function member(name: string, bytes: Uint8Array | null): string {
  if (bytes === null) return `"${name}":null`;
  const text = toText(bytes);
  if (text !== undefined) return `"${name}":${JSON.stringify(text)}`;
  return `"${name}":"${toBase64(bytes)}","${name}_encoding":"base64"`;
}

/** `line` is told from 1 in messages. `offset` is read and dropped: the broker gives a new one. */
export function recordFromJson(text: string, line: number): InputRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new CliError(`line ${line} of the export is not JSON`, { cause });
  }
  if (!isObject(parsed)) throw wrong(line, "a record is a JSON object");
  return {
    topic: typeof parsed.topic === "string" ? parsed.topic : null,
    partition: optionalNumber(parsed, "partition", line),
    timestampMs: optionalNumber(parsed, "timestamp", line),
    key: payload(parsed, "key", line),
    value: payload(parsed, "value", line),
    headers: headersOf(parsed.headers, line),
  };
}

type Fields = { readonly [name: string]: unknown };

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function optionalNumber(fields: Fields, name: string, line: number): number | null {
  const value = fields[name];
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw wrong(line, `${name} is not a whole number`);
}

function payload(fields: Fields, name: string, line: number): Uint8Array | null {
  const value = fields[name];
  const encoding = fields[`${name}_encoding`] ?? "text";
  if (value === undefined || value === null) return null;
  if (encoding === "json") return utf8.encode(JSON.stringify(value));
  if (typeof value !== "string") throw wrong(line, `${name} is not text`);
  if (encoding === "base64") return fromBase64(value, line);
  if (encoding === "text") return utf8.encode(value);
  throw wrong(line, `${name}_encoding is not text, json or base64`);
}

function headersOf(value: unknown, line: number): InputHeader[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(line, "headers is not a list");
  return value.map((header: unknown) => {
    if (!isObject(header) || typeof header.key !== "string")
      throw wrong(line, "a header has no key");
    return { key: header.key, value: payload(header, "value", line) };
  });
}

function wrong(line: number, what: string): CliError {
  return new CliError(`line ${line} of the export: ${what}`, {
    hints: ["an export is what `timberline consume -J` writes"],
  });
}
