// Formats, out: a parsed format becomes a list of closures that write one record into a ByteSink. Bytes are
// exact, except that for a terminal the control characters of payloads are escaped.

import { Buffer } from "node:buffer";
import { codecWord } from "../compression/codecs.ts";
import type { ByteSink } from "./byte-sink.ts";
import { usageError } from "./exit.ts";
import type { FormatField, FormatMode, FormatPart, HeaderPart } from "./format.ts";
import { JsonFinder, parseJsonPath } from "./json-path.ts";
import { compileStrftime, formatTimeIso } from "./time-spec.ts";

/** What a record offers to a format; `client/` records have this shape. */
export interface FormatRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[];
  readonly leaderEpoch: number;
  /** Of the record's batch. */
  readonly attributes: number;
  /** High watermark of the partition when the record was fetched. */
  readonly endOffset: number;
}

export type RecordWriter = (record: FormatRecord, sink: ByteSink) => void;

export interface WriteOptions {
  /** Written for a null key or value (kcat's `-Z` writes NULL); nothing by default. */
  readonly nullText?: string;
  /** Escape control characters of payloads: a hostile record must not steer a terminal. */
  readonly isTerminal?: boolean;
}

const COMMA = 0x2c;
const EQUALS = 0x3d;
const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { ignoreBOM: true });
const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function compileWriter(
  parts: readonly FormatPart[],
  options: WriteOptions = {},
): RecordWriter {
  const writers = parts.map((part) => compilePart(part, options));
  const [first, second] = writers;
  if (writers.length === 2 && first && second) {
    return (record, sink) => {
      first(record, sink);
      second(record, sink);
    };
  }
  return (record, sink) => {
    for (const write of writers) write(record, sink);
  };
}

function compilePart(part: FormatPart, options: WriteOptions): RecordWriter {
  if (part.kind === "literal") return (_, sink) => sink.bytes(part.bytes);
  const payload = payloadWriter(options);
  switch (part.field) {
    case "key":
      return compilePayload((record) => record.key, part.mode, payload);
    case "value":
      return compilePayload((record) => record.value, part.mode, payload);
    case "headers":
      return compileHeaders(part.mode, options);
    case "timestamp":
      return compileTimestamp(part.mode);
    case "topic":
      return (record, sink) => sink.text(record.topic);
    case "valueLengthBytes":
      return (record, sink) => sink.int32(record.value?.length ?? -1);
    case "attributes":
      return part.mode?.kind === "codec"
        ? (record, sink) => sink.ascii(codecWord(record.attributes & 7))
        : (record, sink) => sink.ascii(String(record.attributes));
    default:
      return compileNumber(part.field);
  }
}

function compileNumber(
  field: Exclude<
    FormatField,
    "key" | "value" | "headers" | "timestamp" | "topic" | "valueLengthBytes" | "attributes"
  >,
): RecordWriter {
  if (field === "keyLength") return (record, sink) => sink.ascii(String(record.key?.length ?? -1));
  if (field === "valueLength")
    return (record, sink) => sink.ascii(String(record.value?.length ?? -1));
  return (record, sink) => sink.ascii(String(record[field]));
}

function compileTimestamp(mode: FormatMode | null): RecordWriter {
  if (mode?.kind === "iso") return (record, sink) => sink.ascii(formatTimeIso(record.timestampMs));
  if (mode?.kind === "strftime") {
    const format = compileStrftime(mode.pattern);
    return (record, sink) => sink.text(format(record.timestampMs));
  }
  return (record, sink) => sink.ascii(String(record.timestampMs));
}

type PayloadWriter = (bytes: Uint8Array | null, sink: ByteSink) => void;

function payloadWriter(options: WriteOptions): PayloadWriter {
  const nullBytes = utf8.encode(options.nullText ?? "");
  if (options.isTerminal) {
    return (bytes, sink) =>
      bytes === null ? sink.bytes(nullBytes) : sink.text(escapeControls(text.decode(bytes)));
  }
  return (bytes, sink) => sink.bytes(bytes ?? nullBytes);
}

function compilePayload(
  pick: (record: FormatRecord) => Uint8Array | null,
  mode: FormatMode | null,
  write: PayloadWriter,
): RecordWriter {
  const encode = mode === null ? null : compileEncoding(mode);
  if (encode === null) return (record, sink) => write(pick(record), sink);
  return (record, sink) => {
    const bytes = pick(record);
    write(bytes === null ? null : encode(bytes), sink);
  };
}

function compileEncoding(mode: FormatMode): (bytes: Uint8Array) => Uint8Array | null {
  switch (mode.kind) {
    case "hex":
      return (bytes) => utf8.encode(toHex(bytes));
    case "base64":
      return (bytes) => utf8.encode(toBase64(bytes));
    case "json":
      return (bytes) => utf8.encode(toJsonText(bytes));
    case "jsonPath": {
      const finder = new JsonFinder(parseJsonPath(mode.path));
      return (bytes) => (finder.find(bytes) === "found" ? finder.bytes() : null);
    }
    default:
      throw usageError(`-f: {${mode.kind}} is not for keys and values`);
  }
}

function compileHeaders(mode: FormatMode | null, options: WriteOptions): RecordWriter {
  const write = payloadWriter(options);
  const writeName = (name: string, sink: ByteSink) =>
    sink.text(options.isTerminal ? escapeControls(name) : name);
  const parts: readonly HeaderPart[] =
    mode?.kind === "headers"
      ? mode.parts
      : [{ kind: "name" }, { kind: "literal", bytes: Uint8Array.of(EQUALS) }, { kind: "value" }];
  const separator = mode?.kind === "headers" ? mode.separator : Uint8Array.of(COMMA);
  return (record, sink) => {
    record.headers.forEach((header, i) => {
      if (i > 0) sink.bytes(separator);
      for (const part of parts) {
        if (part.kind === "literal") sink.bytes(part.bytes);
        else if (part.kind === "name") writeName(header.key, sink);
        else write(header.value, sink);
      }
    });
  };
}

/** Control characters but tab and newline become `\xNN`: they could move the cursor or retitle the window. */
export function escapeControls(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return line.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** UTF-8 text, or undefined for other bytes. */
export function toText(bytes: Uint8Array): string | undefined {
  try {
    return strictText.decode(bytes);
  } catch {
    return undefined;
  }
}

/** JSON as it is; anything else as a JSON string (base64 for bytes that are not UTF-8). */
function toJsonText(bytes: Uint8Array): string {
  const decoded = toText(bytes);
  if (decoded === undefined) return JSON.stringify(toBase64(bytes));
  try {
    JSON.parse(decoded);
    return decoded;
  } catch {
    return JSON.stringify(decoded);
  }
}
