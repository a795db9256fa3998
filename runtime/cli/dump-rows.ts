// What `dump` shows of each kind of file: columns, and rows read from the file. Keys are a contract.

import { readFileSync } from "node:fs";
import type { Core, DecodedRecord } from "../../storage-wasm/core.ts";
import { codecNames, codecWord } from "../compression/codecs.ts";
import {
  decodeEpochs,
  decodeOffsets,
  decodePartitionMetadata,
  decodeProperties,
} from "../log/checkpoints.ts";
import { decodeSnapshot } from "../log/producer-snapshot.ts";
import type { Codecs } from "../platform.ts";
import type { DumpFile, FileKind } from "./dump-files.ts";
import { CliError } from "./exit.ts";
import { toBase64, toText } from "./format-write.ts";
import { decodeOffsetIndex, decodeTimeIndex, decodeTransactionIndex } from "./index-files.ts";
import type { CellValue, Column, Row } from "./output.ts";
import { type BatchOnDisk, SegmentReader } from "./segment-reader.ts";
import { formatTimeIso } from "./time-spec.ts";

/** Decompressed bytes of one batch: above it is a bomb. */
const RECORDS_BYTES_MAX = 256 * 1024 * 1024;
const CELL_CHARS_MAX = 60;

export interface DumpTools {
  readonly core: Core;
  readonly codecs: Codecs;
}

export interface RowOptions {
  readonly records: boolean;
  readonly headers: boolean;
  readonly fromOffset: number;
}

const time = (value: CellValue) =>
  typeof value !== "number" || value < 0 ? "-" : formatTimeIso(value);
const flag = (value: CellValue) => (value === true ? "yes" : "");
const clipped = (value: CellValue) => {
  if (value === null) return "-";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const text = String(value).replace(/[\u0000-\u001f\u007f-\u009f]/g, "·");
  return text.length > CELL_CHARS_MAX ? `${text.slice(0, CELL_CHARS_MAX - 1)}…` : text;
};

const BATCH_COLUMNS: readonly Column[] = [
  { key: "position" },
  { key: "bytes" },
  { key: "baseOffset", title: "first" },
  { key: "lastOffset", title: "last" },
  { key: "count" },
  { key: "codec", align: "left" },
  { key: "maxTimestamp", title: "max time", show: time, align: "left" },
  { key: "baseTimestamp", title: "base time", show: time, align: "left", isWide: true },
  { key: "timestampType", title: "time type", isWide: true },
  { key: "leaderEpoch", title: "epoch" },
  { key: "producerId", title: "producer" },
  { key: "producerEpoch", title: "producer epoch", isWide: true },
  { key: "baseSequence", title: "sequence" },
  { key: "isTransactional", title: "txn", show: flag, isWide: true },
  { key: "isControl", title: "control", show: flag, isWide: true },
  { key: "crc", isWide: true },
  { key: "fault" },
];

const RECORD_COLUMNS: readonly Column[] = [
  { key: "offset" },
  { key: "timestamp", title: "time", show: time, align: "left" },
  { key: "keyBytes", title: "key size" },
  { key: "valueBytes", title: "size" },
  { key: "key", show: clipped, align: "left" },
  { key: "value", show: clipped, align: "left" },
];

const HEADERS_COLUMN: Column = { key: "headers", show: clipped, align: "left" };

const COLUMNS: Readonly<Record<Exclude<FileKind, "log">, readonly Column[]>> = {
  index: [{ key: "offset" }, { key: "position" }],
  timeindex: [{ key: "timestamp", show: time, align: "left" }, { key: "offset" }],
  txnindex: ["producerId", "firstOffset", "lastOffset", "lastStableOffset", "version"].map(
    (key) => ({ key }),
  ),
  snapshot: [
    ...["producerId", "producerEpoch", "lastSequence", "lastOffset", "offsetDelta"].map((key) => ({
      key,
    })),
    { key: "timestamp", show: time, align: "left" },
    { key: "coordinatorEpoch", isWide: true },
    { key: "transactionFirstOffset", title: "open txn from" },
  ],
  epochs: [{ key: "epoch" }, { key: "startOffset" }],
  offsets: [{ key: "topic" }, { key: "partition" }, { key: "offset" }],
  metadata: [{ key: "topicId" }],
  properties: [{ key: "name" }, { key: "value", align: "left" }],
};

export function columnsOf(kind: FileKind, options: RowOptions): readonly Column[] {
  if (kind !== "log") return COLUMNS[kind];
  if (!options.records) return BATCH_COLUMNS;
  return options.headers ? [...RECORD_COLUMNS, HEADERS_COLUMN] : RECORD_COLUMNS;
}

/** Throws a `CliError` that names the file when it is not what its name says. */
export function* rowsOf(file: DumpFile, tools: DumpTools, options: RowOptions): Generator<Row> {
  if (file.kind === "log") yield* logRows(file, tools, options);
  else yield* smallFileRows(file, tools.core, options);
}

function* logRows(file: DumpFile, tools: DumpTools, options: RowOptions): Generator<Row> {
  const reader = new SegmentReader(tools.core, file.path);
  try {
    for (const batch of reader.batches()) {
      if (batch.lastOffset < options.fromOffset) continue;
      if (!options.records) {
        yield batchRow(batch);
        continue;
      }
      for (const record of decodeBatch(reader, batch, tools)) {
        if (record.offset >= options.fromOffset) yield recordRow(record, options.headers);
      }
    }
    if (reader.end) {
      const { position, restBytes, fault } = reader.end;
      throw new CliError(
        `${file.path}: ${restBytes} bytes from position ${position} on are no valid batch (${fault})`,
        { hints: ["a broker cuts such a tail off at its next start; --verify tells more"] },
      );
    }
  } finally {
    reader.close();
  }
}

function batchRow(batch: BatchOnDisk): Row {
  return {
    type: "batch",
    position: batch.position,
    bytes: batch.bytes,
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    count: batch.count,
    codec: codecWord(batch.codec),
    timestampType: batch.isLogAppendTime ? "LogAppendTime" : "CreateTime",
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    leaderEpoch: batch.leaderEpoch,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    isTransactional: batch.isTransactional,
    isControl: batch.isControl,
    crc: batch.crc >>> 0,
    fault: batch.fault === "none" ? null : batch.fault,
  };
}

function recordRow(record: DecodedRecord, hasHeaders: boolean): Row {
  return {
    type: "record",
    offset: record.offset,
    timestamp: record.timestampMs,
    keyBytes: record.key?.length ?? null,
    valueBytes: record.value?.length ?? null,
    key: readable(record.key),
    value: readable(record.value),
    ...(hasHeaders
      ? { headers: record.headers.map((h) => `${h.key}=${readable(h.value) ?? ""}`) }
      : {}),
  };
}

/** Text, or base64 for other bytes; exact bytes are what --hex and the server's fetch are for. */
function readable(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : (toText(bytes) ?? `base64:${toBase64(bytes)}`);
}

/** All records of a batch; throws if they do not add up. */
export function decodeBatch(
  reader: SegmentReader,
  batch: BatchOnDisk,
  { core, codecs }: DumpTools,
): readonly DecodedRecord[] {
  const bytes = reader.read(batch.position, batch.bytes);
  return core.decode(bytes, (codec, packed) => {
    const name = codecNames[codec];
    if (name == null) throw new CliError(`codec ${codec} is not known`);
    return codecs[name].decompress(packed, RECORDS_BYTES_MAX);
  });
}

function* smallFileRows(file: DumpFile, core: Core, options: RowOptions): Generator<Row> {
  const bytes = readFileSync(file.path);
  const isAsked = (offset: number) => offset >= options.fromOffset;
  switch (file.kind) {
    case "index":
      for (const entry of decodeOffsetIndex(bytes, file.baseOffset).entries) {
        if (isAsked(entry.offset)) yield { type: "index", ...entry };
      }
      return;
    case "timeindex":
      for (const { timestampMs, offset } of decodeTimeIndex(bytes, file.baseOffset).entries) {
        if (isAsked(offset)) yield { type: "timeindex", timestamp: timestampMs, offset };
      }
      return;
    case "txnindex":
      for (const entry of decodeTransactionIndex(bytes).entries)
        yield { type: "txnindex", ...entry };
      return;
    default:
      yield* stateRows(file, bytes, core);
  }
}

function* stateRows(file: DumpFile, bytes: Uint8Array, core: Core): Generator<Row> {
  switch (file.kind) {
    case "snapshot": {
      const entries = decodeSnapshot(bytes, (part) => core.crc32c(part));
      if (!entries)
        throw new CliError(`${file.path}: not a whole snapshot of version 1, or its CRC is wrong`);
      for (const { timestampMs, ...entry } of entries)
        yield { type: "producer", ...entry, timestamp: timestampMs };
      return;
    }
    case "epochs":
      for (const entry of understood(file, () => decodeEpochs(bytes)))
        yield { type: "epoch", ...entry };
      return;
    case "offsets":
      for (const entry of understood(file, () => decodeOffsets(bytes)))
        yield { type: "offset", ...entry };
      return;
    case "metadata": {
      const topicId = decodePartitionMetadata(bytes);
      if (topicId === undefined)
        throw new CliError(`${file.path}: not a partition.metadata of version 0`);
      yield { type: "metadata", topicId };
      return;
    }
    default:
      for (const [name, value] of decodeProperties(bytes)) yield { type: "property", name, value };
  }
}

function understood<T>(file: DumpFile, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new CliError(`${file.path}: not a checkpoint this version understands`, { cause });
  }
}
