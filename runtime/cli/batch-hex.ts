// `dump --hex`: one record batch as its bytes, each field beside its name, value and meaning. For people who want
// to see how messages lie on disk. Pure: bytes in, lines out.

import type { DecodedRecord } from "../../storage-wasm/core.ts";
import { codecWord } from "../compression/codecs.ts";
import { toHex, toText } from "./format-write.ts";
import { formatTimeIso } from "./time-spec.ts";

export interface HexLine {
  /** Position in the file. */
  readonly position: number;
  readonly hex: string;
  readonly field: string;
  readonly value: string;
  readonly note: string;
}

const RECORDS_AT = 61;
/** Longer payloads are cut in the hex column; their length is told. */
const HEX_BYTES_SHOWN = 16;
const TEXT_CHARS_SHOWN = 48;

type Read = (view: DataView, at: number) => { value: string; note?: string };

const int16: Read = (view, at) => ({ value: String(view.getInt16(at)) });
const int32: Read = (view, at) => ({ value: String(view.getInt32(at)) });
const int64: Read = (view, at) => ({ value: String(view.getBigInt64(at)) });
const time: Read = (view, at) => {
  const timeMs = Number(view.getBigInt64(at));
  return { value: String(timeMs), note: timeMs < 0 ? "none" : formatTimeIso(timeMs) };
};
const noneIfNegative =
  (read: Read): Read =>
  (view, at) => {
    const { value } = read(view, at);
    return value.startsWith("-") ? { value, note: "none: not an idempotent producer" } : { value };
  };

/** The header of batch v2, in order: [field, bytes, reader, what it means]. */
const HEADER: readonly (readonly [string, number, Read, string])[] = [
  ["baseOffset", 8, int64, "offset of the first record; stamped by the broker"],
  ["length", 4, int32, "bytes after this field"],
  ["partitionLeaderEpoch", 4, int32, "stamped by the leader"],
  ["magic", 1, (view, at) => ({ value: String(view.getInt8(at)) }), "format version 2"],
  [
    "crc",
    4,
    (view, at) => ({ value: `0x${view.getUint32(at).toString(16).padStart(8, "0")}` }),
    "CRC-32C from attributes to the end",
  ],
  [
    "attributes",
    2,
    (view, at) => ({
      value: String(view.getInt16(at)),
      note: describeAttributes(view.getInt16(at)),
    }),
    "",
  ],
  ["lastOffsetDelta", 4, int32, "last offset − baseOffset"],
  ["baseTimestamp", 8, time, ""],
  ["maxTimestamp", 8, time, ""],
  ["producerId", 8, noneIfNegative(int64), ""],
  ["producerEpoch", 2, noneIfNegative(int16), ""],
  ["baseSequence", 4, noneIfNegative(int32), ""],
  ["count", 4, int32, "records in this batch"],
];

export function describeAttributes(attributes: number): string {
  const parts = [`codec ${codecWord(attributes & 7)}`];
  parts.push(attributes & 8 ? "LogAppendTime" : "CreateTime");
  if (attributes & 16) parts.push("transactional");
  if (attributes & 32) parts.push("control");
  if (attributes & 64) parts.push("delete horizon");
  return parts.join(", ");
}

/** `records`: the decoded records, for compressed batches, whose bytes say nothing to the eye. */
export function annotateBatch(
  batch: Uint8Array,
  position: number,
  records: readonly DecodedRecord[],
): HexLine[] {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  const lines: HexLine[] = [];
  let at = 0;
  for (const [field, length, read, meaning] of HEADER) {
    const { value, note } = read(view, at);
    lines.push({
      position: position + at,
      hex: toHex(batch.subarray(at, at + length)),
      field,
      value,
      note: note ?? meaning,
    });
    at += length;
  }
  const isCompressed = (view.getInt16(21) & 7) !== 0;
  if (isCompressed) return [...lines, ...compressedLines(batch, position, records)];
  return [...lines, ...new RecordWalk(batch, position).lines()];
}

function compressedLines(
  batch: Uint8Array,
  position: number,
  records: readonly DecodedRecord[],
): HexLine[] {
  const payload = batch.subarray(RECORDS_AT);
  const lines = [
    {
      position: position + RECORDS_AT,
      ...shownBytes(payload),
      field: "records",
      note: "compressed together",
    },
  ];
  records.forEach((record, i) => {
    for (const field of ["key", "value"] as const) {
      const bytes = record[field];
      const shown = bytes === null ? { hex: "", value: "null" } : shownBytes(bytes);
      lines.push({
        position: position + RECORDS_AT,
        ...shown,
        field: `record ${i} ${field}`,
        note: "decompressed",
      });
    }
  });
  return lines;
}

function shownBytes(bytes: Uint8Array): { hex: string; value: string } {
  const isCut = bytes.length > HEX_BYTES_SHOWN;
  const text = toText(bytes.subarray(0, TEXT_CHARS_SHOWN * 4));
  const shown = text === undefined ? "" : JSON.stringify(text.slice(0, TEXT_CHARS_SHOWN));
  return {
    hex: toHex(bytes.subarray(0, HEX_BYTES_SHOWN)) + (isCut ? "…" : ""),
    value: `${bytes.length} bytes${shown ? ` ${shown}${text && text.length > TEXT_CHARS_SHOWN ? "…" : ""}` : ""}`,
  };
}

/** Walks the records of an uncompressed batch, field by field. Stops quietly where the bytes do. */
class RecordWalk {
  readonly #batch: Uint8Array;
  readonly #position: number;
  readonly #lines: HexLine[] = [];
  #at = RECORDS_AT;

  constructor(batch: Uint8Array, position: number) {
    this.#batch = batch;
    this.#position = position;
  }

  lines(): HexLine[] {
    for (let i = 0; this.#at < this.#batch.length; i++) if (!this.#record(i)) break;
    return this.#lines;
  }

  #record(i: number): boolean {
    const name = `record ${i}`;
    if (this.#varint(`${name} length`, "zigzag varint, bytes after it") === undefined) return false;
    this.#plain(`${name} attributes`, 1, "unused");
    this.#varint(`${name} timestampDelta`, "ms after baseTimestamp");
    this.#varint(`${name} offsetDelta`, "after baseOffset");
    if (!this.#payload(`${name} key`) || !this.#payload(`${name} value`)) return false;
    const headers = this.#varint(`${name} headers`, "how many follow");
    for (let h = 0; h < (headers ?? 0); h++) {
      if (!this.#payload(`${name} header ${h} key`) || !this.#payload(`${name} header ${h} value`))
        return false;
    }
    return headers !== undefined;
  }

  #payload(field: string): boolean {
    const length = this.#varint(`${field} length`, "-1 is null");
    if (length === undefined || this.#at + length > this.#batch.length) return false;
    if (length <= 0) return true;
    const bytes = this.#batch.subarray(this.#at, this.#at + length);
    this.#lines.push({
      position: this.#position + this.#at,
      ...shownBytes(bytes),
      field,
      note: "",
    });
    this.#at += length;
    return true;
  }

  #plain(field: string, length: number, note: string): void {
    const bytes = this.#batch.subarray(this.#at, this.#at + length);
    this.#lines.push({
      position: this.#position + this.#at,
      hex: toHex(bytes),
      field,
      value: String(bytes[0]),
      note,
    });
    this.#at += length;
  }

  /** Signed zigzag varint of up to 10 bytes; undefined at the end of the bytes. */
  #varint(field: string, note: string): number | undefined {
    const start = this.#at;
    let raw = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#batch[this.#at];
      if (byte === undefined) return undefined;
      this.#at++;
      raw |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const value = Number((raw >> 1n) ^ -(raw & 1n));
        const hex = toHex(this.#batch.subarray(start, this.#at));
        this.#lines.push({
          position: this.#position + start,
          hex,
          field,
          value: String(value),
          note,
        });
        return value;
      }
    }
    return undefined;
  }
}
