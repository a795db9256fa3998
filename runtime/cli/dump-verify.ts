// `dump --verify`: every CRC, the order of offsets, the records inside batches, and that index entries point at
// what they say. Reads a segment once, its two indexes beside it. Finds, never repairs.

import { existsSync, readFileSync } from "node:fs";
import { BatchFault } from "../../storage-wasm/core.ts";
import type { DumpFile } from "./dump-files.ts";
import { type DumpTools, decodeBatch, rowsOf } from "./dump-rows.ts";
import {
  decodeOffsetIndex,
  decodeTimeIndex,
  type OffsetEntry,
  type TimeEntry,
} from "./index-files.ts";
import { type BatchOnDisk, faultName, SegmentReader } from "./segment-reader.ts";

export interface Verified {
  readonly file: string;
  readonly kind: string;
  readonly sizeBytes: number;
  /** Batches of a log, entries of anything else. */
  readonly entries: number;
  readonly records: number;
  readonly problems: readonly string[];
  readonly problemCount: number;
}

/** More would hide the first ones. */
const PROBLEMS_SHOWN_MAX = 20;

class Problems {
  readonly shown: string[] = [];
  count = 0;

  add(problem: string): void {
    this.count++;
    if (this.shown.length < PROBLEMS_SHOWN_MAX) this.shown.push(problem);
  }
}

/** One result per file; a log's indexes are checked together with it. */
export function verifyFile(file: DumpFile, tools: DumpTools): Verified {
  if (file.kind === "log") return verifyLog(file, tools);
  if (file.kind === "index" || file.kind === "timeindex") return verifyIndex(file, tools);
  const problems = new Problems();
  let entries = 0;
  try {
    for (const _ of rowsOf(file, tools, { records: false, headers: false, fromOffset: -1 }))
      entries++;
  } catch (error) {
    problems.add(messageOf(error));
  }
  return result(file, { sizeBytes: readFileSync(file.path).length, entries, records: 0 }, problems);
}

function verifyLog(file: DumpFile, tools: DumpTools): Verified {
  const problems = new Problems();
  const reader = new SegmentReader(tools.core, file.path);
  let entries = 0;
  let records = 0;
  let before: BatchOnDisk | undefined;
  try {
    for (const batch of reader.batches()) {
      entries++;
      records += batch.count;
      checkOrder(file, batch, before, problems);
      if (batch.fault === "crc") problems.add(`${at(batch)}: CRC is wrong`);
      else checkRecords(reader, batch, tools, problems);
      before = batch;
    }
    if (reader.end) {
      const { position, restBytes, fault } = reader.end;
      problems.add(
        `position ${position}: the last ${restBytes} bytes are no valid batch (${fault})`,
      );
    }
  } finally {
    reader.close();
  }
  return result(file, { sizeBytes: reader.sizeBytes, entries, records }, problems);
}

function checkOrder(
  file: DumpFile,
  batch: BatchOnDisk,
  before: BatchOnDisk | undefined,
  problems: Problems,
): void {
  if (batch.baseOffset < file.baseOffset) {
    problems.add(`${at(batch)}: below the segment's base offset ${file.baseOffset}`);
  }
  if (before && batch.baseOffset <= before.lastOffset) {
    problems.add(`${at(batch)}: not above the last offset before it, ${before.lastOffset}`);
  }
  if (before && batch.leaderEpoch < before.leaderEpoch) {
    problems.add(`${at(batch)}: leader epoch ${batch.leaderEpoch} after ${before.leaderEpoch}`);
  }
}

/** Uncompressed records are walked in the core, compressed ones decoded. */
function checkRecords(
  reader: SegmentReader,
  batch: BatchOnDisk,
  tools: DumpTools,
  problems: Problems,
): void {
  if (batch.codec !== 0) {
    try {
      decodeBatch(reader, batch, tools);
    } catch (error) {
      problems.add(`${at(batch)}: records cannot be decoded: ${messageOf(error)}`);
    }
    return;
  }
  const { core } = tools;
  const bytes = reader.read(batch.position, batch.bytes);
  const rules = { verifyCrc: false, walkRecords: true, requireKeys: false };
  const fault = core.check(core.place(bytes), bytes.length, rules);
  // A compacted batch has holes, which its count alone cannot tell from a mistake.
  if (fault === BatchFault.none || fault === BatchFault.count) return;
  problems.add(`${at(batch)}: records do not add up (${faultName(fault)})`);
}

function verifyIndex(file: DumpFile, tools: DumpTools): Verified {
  const problems = new Problems();
  const bytes = readFileSync(file.path);
  const isTime = file.kind === "timeindex";
  const decoded = isTime
    ? decodeTimeIndex(bytes, file.baseOffset)
    : decodeOffsetIndex(bytes, file.baseOffset);
  if (decoded.tornBytes > 0) problems.add(`${decoded.tornBytes} bytes behind the last whole entry`);
  const logPath = file.path.replace(/\.(time)?index$/, ".log");
  if (!existsSync(logPath)) {
    problems.add("its .log is not beside it");
  } else if (decoded.entries.length > 0) {
    const check = isTime
      ? new TimeIndexCheck(decoded.entries as readonly TimeEntry[], problems)
      : new OffsetIndexCheck(decoded.entries as readonly OffsetEntry[], problems);
    const reader = new SegmentReader(tools.core, logPath);
    try {
      for (const batch of reader.batches()) check.batch(batch);
    } finally {
      reader.close();
    }
    check.end();
  }
  return result(
    file,
    { sizeBytes: bytes.length, entries: decoded.entries.length, records: 0 },
    problems,
  );
}

/** Each entry: the last offset of a batch, and where that batch begins; both grow. */
class OffsetIndexCheck {
  readonly #entries: readonly OffsetEntry[];
  readonly #problems: Problems;
  #next = 0;

  constructor(entries: readonly OffsetEntry[], problems: Problems) {
    this.#entries = entries;
    this.#problems = problems;
    entries.forEach((entry, i) => {
      const before = entries[i - 1];
      if (!before || (entry.offset > before.offset && entry.position > before.position)) return;
      problems.add(`entry ${i}: offset ${entry.offset} at ${entry.position} does not grow`);
    });
  }

  batch(batch: BatchOnDisk): void {
    for (let entry = this.#entries[this.#next]; entry; entry = this.#entries[this.#next]) {
      if (entry.position > batch.position) return;
      this.#next++;
      if (entry.position < batch.position) {
        this.#problems.add(`offset ${entry.offset}: no batch begins at position ${entry.position}`);
      } else if (entry.offset !== batch.lastOffset) {
        this.#problems.add(
          `position ${entry.position}: offset ${entry.offset}, but the batch ends with ${batch.lastOffset}`,
        );
      }
    }
  }

  end(): void {
    for (const entry of this.#entries.slice(this.#next)) {
      this.#problems.add(
        `offset ${entry.offset}: position ${entry.position} is behind the log's end`,
      );
    }
  }
}

/** Each entry: a timestamp and the last offset of the batch that has it as its largest; neither falls. */
class TimeIndexCheck {
  readonly #entries: readonly TimeEntry[];
  readonly #problems: Problems;
  #next = 0;

  constructor(entries: readonly TimeEntry[], problems: Problems) {
    this.#entries = entries;
    this.#problems = problems;
    entries.forEach((entry, i) => {
      const before = entries[i - 1];
      if (!before || (entry.timestampMs >= before.timestampMs && entry.offset >= before.offset))
        return;
      problems.add(`entry ${i}: ${entry.timestampMs} at offset ${entry.offset} falls`);
    });
  }

  batch(batch: BatchOnDisk): void {
    for (let entry = this.#entries[this.#next]; entry; entry = this.#entries[this.#next]) {
      if (entry.offset > batch.lastOffset) return;
      this.#next++;
      if (entry.offset < batch.baseOffset) {
        this.#problems.add(`offset ${entry.offset} is in no batch`);
      } else if (entry.timestampMs !== batch.maxTimestamp) {
        this.#problems.add(
          `offset ${entry.offset}: timestamp ${entry.timestampMs}, but its batch has ${batch.maxTimestamp}`,
        );
      }
    }
  }

  end(): void {
    for (const entry of this.#entries.slice(this.#next)) {
      this.#problems.add(`offset ${entry.offset} is behind the log's end`);
    }
  }
}

function result(
  file: DumpFile,
  counts: { sizeBytes: number; entries: number; records: number },
  problems: Problems,
): Verified {
  return {
    file: file.path,
    kind: file.kind,
    ...counts,
    problems: problems.shown,
    problemCount: problems.count,
  };
}

function at(batch: BatchOnDisk): string {
  return `offset ${batch.baseOffset} at position ${batch.position}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
