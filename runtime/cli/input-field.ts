// One field of an input record: how its text becomes a key, a value, headers, a time, a partition, a topic.
// Letters that only the broker can know (%o %e %a %]) are read and dropped, so that output can be read back.

import { Buffer } from "node:buffer";
import { CliError, usageError } from "./exit.ts";
import type { FormatField, FormatMode } from "./format.ts";
import { compileStrptime, parseIsoMs } from "./time-spec.ts";

export interface InputHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** Null: not given by the input, the command's flags or defaults decide. */
export interface InputRecord {
  topic: string | null;
  partition: number | null;
  timestampMs: number | null;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: readonly InputHeader[];
}

/** `record` is told from 1 in messages. */
export type FieldReader = (target: InputRecord, bytes: Uint8Array, record: number) => void;

const NO_HEADERS: readonly InputHeader[] = [];
const PARTITION_MAX = 2 ** 31 - 1;
const utf8 = new TextEncoder();

export function emptyRecord(): InputRecord {
  return {
    topic: null,
    partition: null,
    timestampMs: null,
    key: null,
    value: null,
    headers: NO_HEADERS,
  };
}

export function compileFieldReader(
  field: FormatField,
  mode: FormatMode | null,
  options: { readonly emptyIsNull: boolean },
): FieldReader {
  switch (field) {
    case "key":
    case "value":
      return compilePayload(field, mode, options.emptyIsNull);
    case "headers":
      return compileHeaders(mode);
    case "timestamp":
      return compileTime(mode);
    case "partition":
      return (target, bytes, record) => {
        target.partition = integer(bytes, "%p", record, PARTITION_MAX);
      };
    case "topic":
      return (target, bytes) => {
        target.topic = decode(bytes);
      };
    default:
      return () => {};
  }
}

function compilePayload(
  field: "key" | "value",
  mode: FormatMode | null,
  emptyIsNull: boolean,
): FieldReader {
  const decodePayload = payloadDecoder(field, mode);
  return (target, bytes, record) => {
    const decoded = decodePayload(bytes, record);
    target[field] = emptyIsNull && decoded.length === 0 ? null : decoded;
  };
}

function payloadDecoder(
  field: "key" | "value",
  mode: FormatMode | null,
): (bytes: Uint8Array, record: number) => Uint8Array {
  if (mode === null || mode.kind === "json") return (bytes) => bytes;
  if (mode.kind === "hex") return (bytes, record) => fromHex(decode(bytes), record);
  if (mode.kind === "base64") return (bytes, record) => fromBase64(decode(bytes), record);
  throw usageError(
    `-f: {json PATH} of the ${field} cannot be read back`,
    "to take a key from JSON use --key-path",
  );
}

function compileTime(mode: FormatMode | null): FieldReader {
  if (mode === null) {
    return (target, bytes, record) => {
      target.timestampMs = integer(bytes, "%T", record, Number.MAX_SAFE_INTEGER);
    };
  }
  const parse = mode.kind === "strftime" ? compileStrptime(mode.pattern) : parseIsoMs;
  return (target, bytes, record) => {
    const timeMs = parse(decode(bytes));
    if (timeMs === undefined) throw wrong(record, `"${decode(bytes)}" does not fit the %T of -f`);
    target.timestampMs = timeMs;
  };
}

function compileHeaders(mode: FormatMode | null): FieldReader {
  if (mode?.kind !== "headers") return headerReader("=", ",");
  const [first, middle, last, ...more] = mode.parts;
  const isPlain = first?.kind === "name" && last?.kind === "value" && more.length === 0;
  if (!isPlain || middle?.kind !== "literal" || mode.separator.length === 0) {
    throw usageError("-f: to be read, headers are %h or %h{%kTEXT%vTEXT}");
  }
  return headerReader(decode(middle.bytes), decode(mode.separator));
}

function headerReader(between: string, separator: string): FieldReader {
  return (target, bytes) => {
    if (bytes.length === 0) return;
    target.headers = decode(bytes)
      .split(separator)
      .map((pair) => {
        const at = pair.indexOf(between);
        if (at < 0) return { key: pair, value: null };
        return { key: pair.slice(0, at), value: utf8.encode(pair.slice(at + between.length)) };
      });
  };
}

function integer(bytes: Uint8Array, letter: string, record: number, max: number): number {
  const digits = decode(bytes);
  const value = Number(digits);
  if (!/^\d{1,16}$/.test(digits) || value > max) {
    throw wrong(record, `"${digits.slice(0, 30)}" is not a number for ${letter}`);
  }
  return value;
}

export function fromHex(hex: string, record: number): Uint8Array {
  if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex))
    throw wrong(record, "has wrong hex digits");
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function fromBase64(base64: string, record: number): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) throw wrong(record, "has wrong base64");
  return Uint8Array.from(Buffer.from(base64, "base64"));
}

function wrong(record: number, what: string): CliError {
  return new CliError(`record ${record} of the input: ${what}`);
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}
