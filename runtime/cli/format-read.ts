// Formats, in: the same format string reads what it would write. Records are framed first (by the format's last
// literal, or `-D`), then cut into fields; with length letters (%K %S %R) the lengths frame instead, and any
// bytes may stand in keys and values. Values are views of the input: not one byte of them is touched.

import { CliError, usageError } from "./exit.ts";
import type { FormatField, FormatPart } from "./format.ts";
import {
  compileFieldReader,
  emptyRecord,
  type FieldReader,
  type InputRecord,
} from "./input-field.ts";
import { InputWindow, isAt, RECORD_BYTES_MAX } from "./input-window.ts";

export type { InputRecord } from "./input-field.ts";

export interface RecordReader {
  push(chunk: Uint8Array): void;
  /** No more bytes follow: a last record without delimiter is one too. */
  finish(): void;
  /** The next whole record; undefined when more bytes are needed or all are read. Throws on bytes that do not fit. */
  next(): InputRecord | undefined;
}

export interface LineOptions {
  readonly delimiter: Uint8Array;
  /** Key before it, value after; a line without it is a value. */
  readonly keyDelimiter: Uint8Array | null;
  /** Empty keys and values are null (kcat's -Z). */
  readonly emptyIsNull: boolean;
}

/** One record per delimiter, kcat's way. */
export function createLineReader(options: LineOptions): RecordReader {
  const window = new InputWindow();
  const frame = createFramer(window, options.delimiter);
  const keyDelimiter = options.keyDelimiter;
  const orNull = (bytes: Uint8Array) => (options.emptyIsNull && bytes.length === 0 ? null : bytes);
  return {
    push: (chunk) => window.push(chunk),
    finish: () => {
      window.isFinished = true;
    },
    next() {
      if (!frame.next()) return undefined;
      const record = emptyRecord();
      let start = frame.start;
      if (keyDelimiter) {
        const at = window.find(keyDelimiter, start);
        if (at >= 0 && at + keyDelimiter.length <= frame.end) {
          record.key = orNull(window.bytes.subarray(start, at));
          start = at + keyDelimiter.length;
        }
      }
      record.value = orNull(window.bytes.subarray(start, frame.end));
      return record;
    },
  };
}

/** Records as the format says; `delimiter` ends them if the format does not say how they end. */
export function createFormatReader(
  parts: readonly FormatPart[],
  options: { readonly delimiter: Uint8Array; readonly emptyIsNull: boolean },
): RecordReader {
  checkReadable(parts);
  const hasLengths = parts.some((part) => part.kind === "field" && part.field in LENGTHS);
  return hasLengths ? new LengthReader(parts, options) : new FrameReader(parts, options);
}

const LENGTHS: Partial<Record<FormatField, "key" | "value">> = {
  keyLength: "key",
  valueLength: "value",
  valueLengthBytes: "value",
};

function checkReadable(parts: readonly FormatPart[]): void {
  const fields = parts.filter((part) => part.kind === "field");
  if (fields.length === 0)
    throw usageError("-f: the format reads no field", "for example '%k\\t%s\\n'");
  parts.forEach((part, i) => {
    const next = parts[i + 1];
    if (part.kind === "literal" || part.field in LENGTHS || next?.kind !== "field") return;
    const lengthBefore = parts
      .slice(0, i)
      .some((before) => before.kind === "field" && LENGTHS[before.field] === part.field);
    if (lengthBefore) return;
    throw usageError(
      `-f: nothing tells where ${part.field} ends and ${next.field} begins`,
      "put text between them, or a length before the first: %K or %S or %R",
    );
  });
}

interface Framer {
  start: number;
  end: number;
  next(): boolean;
}

function createFramer(window: InputWindow, delimiter: Uint8Array): Framer {
  if (delimiter.length === 0)
    throw usageError("the record delimiter is empty", "use for example -D '\\n'");
  let searchedTo = 0;
  return {
    start: 0,
    end: 0,
    next() {
      const kept = window.end - window.start;
      if (kept === 0) return false;
      this.start = window.start;
      const found = window.find(delimiter, window.start + Math.min(searchedTo, kept));
      searchedTo = 0;
      if (found < 0 && !window.isFinished) {
        searchedTo = Math.max(0, kept - delimiter.length + 1);
        if (kept > RECORD_BYTES_MAX) throw tooLong();
        return false;
      }
      this.end = found < 0 ? window.end : found;
      window.start = found < 0 ? window.end : found + delimiter.length;
      return true;
    },
  };
}

function tooLong(): CliError {
  return new CliError(`no record ends within ${RECORD_BYTES_MAX} bytes`, {
    hints: ["is the delimiter (-D, or the end of -f) the right one?"],
  });
}

/** Formats whose records end with a literal. */
class FrameReader implements RecordReader {
  readonly #window = new InputWindow();
  readonly #framer: Framer;
  readonly #steps: readonly (Uint8Array | FieldReader)[];
  #records = 0;

  constructor(
    parts: readonly FormatPart[],
    options: { readonly delimiter: Uint8Array; readonly emptyIsNull: boolean },
  ) {
    const last = parts.at(-1);
    const endsItself = last?.kind === "literal";
    this.#framer = createFramer(this.#window, endsItself ? last.bytes : options.delimiter);
    this.#steps = (endsItself ? parts.slice(0, -1) : parts).map((part) =>
      part.kind === "literal" ? part.bytes : compileFieldReader(part.field, part.mode, options),
    );
  }

  push(chunk: Uint8Array): void {
    this.#window.push(chunk);
  }

  finish(): void {
    this.#window.isFinished = true;
  }

  next(): InputRecord | undefined {
    if (!this.#framer.next()) return undefined;
    this.#records++;
    const { start, end } = this.#framer;
    const record = emptyRecord();
    let at = start;
    for (let i = 0; i < this.#steps.length; i++) {
      const step = this.#steps[i] as Uint8Array | FieldReader;
      if (step instanceof Uint8Array) {
        if (at + step.length > end || !isAt(this.#window.bytes, step, at))
          throw this.#mismatch(step);
        at += step.length;
        continue;
      }
      const literal = this.#steps[i + 1];
      const fieldEnd = literal instanceof Uint8Array ? this.#window.find(literal, at) : end;
      if (fieldEnd < 0 || fieldEnd > end) throw this.#mismatch(literal as Uint8Array);
      step(record, this.#window.bytes.subarray(at, fieldEnd), this.#records);
      at = fieldEnd;
    }
    return record;
  }

  #mismatch(literal: Uint8Array): CliError {
    const shown = JSON.stringify(new TextDecoder().decode(literal));
    return new CliError(
      `record ${this.#records} of the input does not fit -f: ${shown} is missing`,
    );
  }
}

/** Formats with lengths: read from left to right. */
class LengthReader implements RecordReader {
  readonly #window = new InputWindow();
  readonly #parts: readonly FormatPart[];
  readonly #readers: readonly (FieldReader | null)[];
  #records = 0;
  #at = 0;

  constructor(
    parts: readonly FormatPart[],
    options: { readonly delimiter: Uint8Array; readonly emptyIsNull: boolean },
  ) {
    const last = parts.at(-1);
    const isOpen = last?.kind === "field" && !(last.field === "key" || last.field === "value");
    this.#parts = isOpen ? [...parts, { kind: "literal", bytes: options.delimiter }] : parts;
    this.#readers = this.#parts.map((part) =>
      part.kind === "literal" || part.field in LENGTHS
        ? null
        : compileFieldReader(part.field, part.mode, options),
    );
  }

  push(chunk: Uint8Array): void {
    this.#window.push(chunk);
  }

  finish(): void {
    this.#window.isFinished = true;
  }

  next(): InputRecord | undefined {
    const window = this.#window;
    if (window.start === window.end) return undefined;
    const record = emptyRecord();
    const lengths: { key: number | null; value: number | null } = { key: null, value: null };
    this.#at = window.start;
    for (let i = 0; i < this.#parts.length; i++) {
      if (this.#step(i, record, lengths)) continue;
      if (window.isFinished) throw this.#wrong("is cut short");
      if (window.end - window.start > RECORD_BYTES_MAX) throw tooLong();
      return undefined;
    }
    window.start = this.#at;
    this.#records++;
    return record;
  }

  /** False when more bytes are needed. */
  #step(
    i: number,
    record: InputRecord,
    lengths: { key: number | null; value: number | null },
  ): boolean {
    const part = this.#parts[i] as FormatPart;
    if (part.kind === "literal") return this.#literal(part.bytes);
    const owner = LENGTHS[part.field];
    if (owner) {
      const length = part.field === "valueLengthBytes" ? this.#int32() : this.#number(i);
      if (length === undefined) return false;
      if (length < -1 || length > RECORD_BYTES_MAX) throw this.#wrong(`has a length of ${length}`);
      lengths[owner] = length;
      return true;
    }
    const known = part.field === "key" || part.field === "value" ? lengths[part.field] : null;
    if (known === -1) return true;
    const end = known === null ? this.#fieldEnd(i) : this.#at + known;
    if (end < 0 || end > this.#window.end) return false;
    const bytes = this.#window.bytes.subarray(this.#at, end);
    this.#readers[i]?.(record, bytes, this.#records + 1);
    if (known === 0) record[part.field as "key" | "value"] = bytes;
    this.#at = end;
    return true;
  }

  #literal(bytes: Uint8Array): boolean {
    const available = Math.min(bytes.length, this.#window.end - this.#at);
    if (!isAt(this.#window.bytes, bytes.subarray(0, available), this.#at)) {
      throw this.#wrong(`lacks ${JSON.stringify(new TextDecoder().decode(bytes))}`);
    }
    if (available < bytes.length) return false;
    this.#at += bytes.length;
    return true;
  }

  #int32(): number | undefined {
    if (this.#window.end - this.#at < 4) return undefined;
    const view = new DataView(this.#window.bytes.buffer, this.#at, 4);
    this.#at += 4;
    return view.getInt32(0);
  }

  #number(i: number): number | undefined {
    const end = this.#fieldEnd(i);
    if (end < 0) return undefined;
    const digits = new TextDecoder().decode(this.#window.bytes.subarray(this.#at, end));
    if (!/^-?\d{1,10}$/.test(digits)) throw this.#wrong(`has "${digits.slice(0, 20)}" as a length`);
    this.#at = end;
    return Number(digits);
  }

  /** A field ends where the literal after it begins. */
  #fieldEnd(i: number): number {
    const next = this.#parts[i + 1];
    if (next?.kind === "literal") return this.#window.find(next.bytes, this.#at);
    return this.#window.isFinished ? this.#window.end : -1;
  }

  #wrong(what: string): CliError {
    return new CliError(`record ${this.#records + 1} of the input ${what}`, {
      hints: ["does -f describe the input?"],
    });
  }
}
