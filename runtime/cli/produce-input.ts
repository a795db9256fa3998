// Where `produce` takes its records from: lines, a format, JSON lines with paths, an export, or one value again
// and again. Asynchronous only between chunks: the records of a chunk are read in one go.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import process from "node:process";
import { CliError, ExitCode, usageError } from "./exit.ts";
import type { Flags } from "./flags.ts";
import { parseEscapes, parseFormat } from "./format.ts";
import { createFormatReader, createLineReader, type RecordReader } from "./format-read.ts";
import { emptyRecord, type InputRecord } from "./input-field.ts";
import { JsonFinder, parseJsonPath } from "./json-path.ts";
import { recordFromJson } from "./record-json.ts";
import { parseIsoMs } from "./time-spec.ts";

const READ_BYTES = 1024 * 1024;
/** Records of a generated value per turn of the loop. */
const GENERATED_PER_CHUNK = 1000;
/** An integer below this is seconds since 1970, as everywhere in the command line. */
const EPOCH_SECONDS_BELOW = 1e11;
const LINE_END = Uint8Array.of(10);

export interface ProduceInput {
  /** Groups of records, in order; the last may be empty. */
  groups(): AsyncIterable<Iterable<InputRecord>>;
  /** How much has been read, 0…1, where the size is known. */
  fraction(): number | undefined;
}

export async function openProduceInput(
  flags: Flags,
  file: string | undefined,
): Promise<ProduceInput> {
  const value = flags.text("value");
  if (value !== undefined) return generated(value, flags.isSet("null"));
  const path = flags.text("from") ?? file;
  const sizeBytes = path === undefined || path === "-" ? undefined : await sizeOf(path);
  const readRecord = recordRefiner(flags);
  const reader = createReader(flags);
  let readBytes = 0;
  return {
    fraction: () => (sizeBytes ? Math.min(1, readBytes / sizeBytes) : undefined),
    async *groups() {
      for await (const chunk of openBytes(path)) {
        readBytes += chunk.length;
        reader.push(chunk);
        yield drain(reader, readRecord);
      }
      reader.finish();
      yield drain(reader, readRecord);
    },
  };
}

function* drain(
  reader: RecordReader,
  refine: ((record: InputRecord) => InputRecord) | null,
): Generator<InputRecord> {
  for (let record = reader.next(); record; record = reader.next()) {
    yield refine === null ? record : refine(record);
  }
}

function generated(value: string, emptyIsNull: boolean): ProduceInput {
  const bytes = emptyIsNull && value === "" ? null : new TextEncoder().encode(value);
  const group = Array.from({ length: GENERATED_PER_CHUNK }, () => ({
    ...emptyRecord(),
    value: bytes,
  }));
  return {
    fraction: () => undefined,
    // Endless: --count ends it.
    async *groups() {
      for (;;) yield group;
    },
  };
}

function createReader(flags: Flags): RecordReader {
  const emptyIsNull = flags.isSet("null");
  const delimiter = parseEscapes(flags.text("delimiter") ?? "\\n");
  const keyDelimiter = flags.text("keyDelimiter");
  const format = flags.text("format");
  if (flags.text("from") !== undefined) {
    return createLineReader({ delimiter: LINE_END, keyDelimiter: null, emptyIsNull: false });
  }
  if (format === undefined) {
    const keyEnd = keyDelimiter === undefined ? null : parseEscapes(keyDelimiter);
    if (keyEnd?.length === 0) throw usageError("--key-delimiter is empty");
    return createLineReader({ delimiter, keyDelimiter: keyEnd, emptyIsNull });
  }
  if (keyDelimiter !== undefined) {
    throw usageError(
      "-f and -K both say how a key is found",
      "write -f '%k:%s\\n' instead of -K :",
    );
  }
  return createFormatReader(parseFormat(format), { delimiter, emptyIsNull });
}

/** What is done to each record read: an export's line is parsed, paths are looked up in the value. */
function recordRefiner(flags: Flags): ((record: InputRecord) => InputRecord) | null {
  let count = 0;
  if (flags.text("from") !== undefined) {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return (record) => recordFromJson(decoder.decode(record.value ?? LINE_END), ++count);
  }
  const keyPath = flags.text("keyPath");
  const timestampPath = flags.text("timestampPath");
  if (keyPath === undefined && timestampPath === undefined) return null;
  const keys = keyPath === undefined ? null : new JsonFinder(parseJsonPath(keyPath));
  const times = timestampPath === undefined ? null : new TimestampFinder(timestampPath);
  return (record) => {
    count++;
    if (record.value === null) return record;
    if (keys) record.key = findKey(keys, record.value, count);
    if (times) record.timestampMs = times.find(record.value, count);
    return record;
  };
}

/** A field that is not there, or null, is no key. */
function findKey(finder: JsonFinder, value: Uint8Array, record: number): Uint8Array | null {
  const found = finder.find(value);
  if (found === "malformed") throw notJson(record, "--key-path");
  return found === "found" ? finder.bytes() : null;
}

/** Times in JSON values; neighbours often have the same, so the last one is remembered. */
class TimestampFinder {
  readonly #finder: JsonFinder;
  readonly #path: string;
  readonly #decoder = new TextDecoder();
  #lastText = "";
  #lastMs = 0;

  constructor(path: string) {
    this.#finder = new JsonFinder(parseJsonPath(path));
    this.#path = path;
  }

  find(value: Uint8Array, record: number): number | null {
    const found = this.#finder.find(value);
    if (found === "malformed") throw notJson(record, "--timestamp-path");
    const bytes = found === "found" ? this.#finder.bytes() : null;
    if (bytes === null) return null;
    const text = this.#decoder.decode(bytes);
    if (text !== this.#lastText) {
      this.#lastMs = this.#parse(text, record);
      this.#lastText = text;
    }
    return this.#lastMs;
  }

  #parse(text: string, record: number): number {
    const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    const timeMs = number < EPOCH_SECONDS_BELOW ? number * 1000 : number;
    const parsed = Number.isNaN(number) ? parseIsoMs(text) : Math.round(timeMs);
    if (parsed !== undefined) return parsed;
    throw new CliError(
      `record ${record} of the input: "${text.slice(0, 40)}" at ${this.#path} is not a time`,
      {
        hints: ["ms or s since 1970, or ISO 8601"],
      },
    );
  }
}

function notJson(record: number, option: string): CliError {
  return new CliError(`record ${record} of the input is not JSON, which ${option} needs`);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw usageError(`${path} is a folder`);
    return stats.isFile() ? stats.size : undefined;
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError(`${path}: cannot be read`, { exitCode: ExitCode.usage, cause });
  }
}

function openBytes(path: string | undefined): AsyncIterable<Uint8Array> {
  if (path === undefined || path === "-") return process.stdin;
  return createReadStream(path, { highWaterMark: READ_BYTES });
}
