// dump: what it shows of a folder in Kafka's layout, what --verify finds, and the annotated hex page.

import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { annotateBatch } from "../../../runtime/cli/batch-hex.ts";
import { type DumpFile, findDumpFiles, kindOf } from "../../../runtime/cli/dump-files.ts";
import { rowsOf } from "../../../runtime/cli/dump-rows.ts";
import { verifyFile } from "../../../runtime/cli/dump-verify.ts";
import { SegmentReader } from "../../../runtime/cli/segment-reader.ts";
import {
  BASE_TIME_MS,
  BATCH_COUNT,
  type Fixture,
  platform,
  RECORDS_PER_BATCH,
  writeFixture,
} from "./dump-fixture.ts";

const PLAIN = { records: false, headers: false, fromOffset: -1 };

function withFixture(run: (fixture: Fixture) => void): () => void {
  return () => {
    const fixture = writeFixture();
    try {
      run(fixture);
    } finally {
      rmSync(fixture.dataDir, { recursive: true });
    }
  };
}

function fileOf(path: string): DumpFile {
  return { path, ...(kindOf(path) as Omit<DumpFile, "path">) };
}

const rows = (path: string, options = PLAIN) => [...rowsOf(fileOf(path), platform, options)];
const problems = (path: string) => verifyFile(fileOf(path), platform).problems;

/** Overwrites bytes of a file in place. */
function patch(path: string, position: number, bytes: readonly number[]): void {
  const content = readFileSync(path);
  content.set(bytes, position);
  writeFileSync(path, content);
}

test(
  "findDumpFiles() finds the files of a data folder by their names",
  withFixture(({ dataDir, folder }) => {
    const kinds = findDumpFiles([dataDir]).map((file) => file.kind);
    assert.equal(kinds, [
      "properties",
      "offsets",
      "index",
      "log",
      "timeindex",
      "epochs",
      "metadata",
    ]);
    assert.is(findDumpFiles([folder]).length, 5);
    assert.throws(() => findDumpFiles([`${folder}/absent`]), /no such file/);
    assert.throws(() => findDumpFiles([import.meta.filename]), /not a file of a log/);
  }),
);

test(
  "rowsOf() shows batches and records of a log",
  withFixture(({ log }) => {
    const batches = rows(log);
    assert.is(batches.length, BATCH_COUNT);
    assert.equal(
      batches.map((row) => row.baseOffset),
      [100, 103, 106, 109, 112],
    );
    assert.equal(
      batches.map((row) => row.codec),
      ["none", "gzip", "none", "none", "none"],
    );
    assert.is(batches[2]?.producerId, 7);
    assert.is(batches[2]?.baseSequence, 40);
    const records = rows(log, { records: true, headers: true, fromOffset: 104 });
    assert.is(records.length, BATCH_COUNT * RECORDS_PER_BATCH - 4);
    assert.is(records[0]?.offset, 104);
    assert.is(records[0]?.key, "key1");
    assert.is(records[0]?.value, "value 1.1");
    assert.is(records[0]?.timestamp, BASE_TIME_MS + 1001);
    assert.equal(records[0]?.headers, ["trace=t"]);
    assert.is(records[2]?.key, null);
  }),
);

test(
  "rowsOf() shows indexes without preallocated zeros, and checkpoints",
  withFixture(({ index, timeIndex, folder, dataDir }) => {
    assert.equal(
      rows(index).map((row) => row.offset),
      [108, 111],
    );
    assert.equal(
      rows(timeIndex).map((row) => row.timestamp),
      [BASE_TIME_MS + 2002, BASE_TIME_MS + 3002],
    );
    assert.equal(rows(`${folder}/leader-epoch-checkpoint`), [
      { type: "epoch", epoch: 0, startOffset: 100 },
    ]);
    assert.is(rows(`${folder}/partition.metadata`)[0]?.topicId, "AAAAAAAAAAAAAAAAAAAAAQ");
    assert.is(rows(`${dataDir}/recovery-point-offset-checkpoint`)[0]?.offset, 115);
    assert.is(rows(`${dataDir}/meta.properties`)[1]?.value, "1");
  }),
);

test(
  "verifyFile() finds nothing wrong in a good folder",
  withFixture(({ dataDir }) => {
    for (const file of findDumpFiles([dataDir])) {
      const verified = verifyFile(file, platform);
      assert.equal(verified.problems, [], file.path);
      assert.ok(verified.entries > 0, file.path);
    }
  }),
);

test(
  "verifyFile() names a wrong CRC and goes on behind it",
  withFixture(({ log }) => {
    const second = Number(rows(log)[1]?.position);
    patch(log, second - 3, [0x7a]);
    assert.equal(problems(log), ["offset 100 at position 0: CRC is wrong"]);
    assert.is(rows(log).length, BATCH_COUNT);
    assert.is(rows(log)[0]?.fault, "crc");
  }),
);

test(
  "verifyFile() names a torn tail and a broken length",
  withFixture(({ log }) => {
    appendFileSync(log, readFileSync(log).subarray(0, 70));
    assert.match(problems(log)[0] as string, /the last 70 bytes are no valid batch \(incomplete\)/);
    assert.throws(() => rows(log), /70 bytes from position \d+ on are no valid batch/);
    patch(log, Number(rows2(log, 2)) + 8, [0xff, 0, 0, 0]);
    assert.match(problems(log)[0] as string, /no valid batch \(length\)/);
  }),
);

function rows2(log: string, batch: number): unknown {
  const found: unknown[] = [];
  for (const row of rowsOf(fileOf(log), platform, PLAIN)) {
    found.push(row.position);
    if (found.length > batch) break;
  }
  return found[batch];
}

test(
  "verifyFile() finds index entries that point nowhere, or at another batch",
  withFixture(({ index, timeIndex }) => {
    patch(index, 4, [0, 0, 0, 1]);
    assert.match(problems(index).join(), /offset 108: no batch begins at position 1/);
    patch(timeIndex, 12, [0, 0, 0, 0, 0, 0, 0, 1]);
    assert.match(problems(timeIndex).join(), /falls/);
    assert.match(problems(timeIndex).join(), /offset 111: timestamp 1, but its batch has/);
  }),
);

test(
  "verifyFile() finds broken checkpoints and a snapshot with a wrong CRC",
  withFixture(({ folder }) => {
    writeFileSync(`${folder}/leader-epoch-checkpoint`, "0\n2\n0 100\n");
    assert.match(problems(`${folder}/leader-epoch-checkpoint`).join(), /not a checkpoint/);
    const snapshot = `${folder}/00000000000000000115.snapshot`;
    writeFileSync(snapshot, Buffer.from([0, 1, 1, 2, 3, 4, 0, 0, 0, 0]));
    assert.match(problems(snapshot).join(), /CRC is wrong/);
  }),
);

test(
  "annotateBatch() accounts for every byte of an uncompressed batch, in order",
  withFixture(({ log }) => {
    const reader = new SegmentReader(platform.core, log);
    try {
      const batches = [...reader.batches()];
      const { position, bytes } = batches[2] as (typeof batches)[0];
      const batch = reader.read(position, bytes);
      const lines = annotateBatch(batch, position, []);
      assert.is(lines.map((line) => line.hex).join(""), Buffer.from(batch).toString("hex"));
      const value = (field: string) => lines.find((line) => line.field === field)?.value;
      assert.is(value("baseOffset"), "106");
      assert.is(value("count"), "3");
      assert.is(value("producerId"), "7");
      assert.is(value("record 1 key"), '4 bytes "key1"');
      assert.is(value("record 1 header 0 key"), '5 bytes "trace"');
      assert.is(value("record 2 offsetDelta"), "2");
    } finally {
      reader.close();
    }
  }),
);

test(
  "SegmentReader reads batches larger than its chunk",
  withFixture(({ log }) => {
    const value = new Uint8Array(9 * 1024 * 1024).fill(7);
    const record = { key: null, value, timestampMs: BASE_TIME_MS };
    const options = { compression: null, baseOffset: 115, leaderEpoch: 0 };
    appendFileSync(log, platform.core.encode([record], options));
    appendFileSync(
      log,
      platform.core.encode([{ ...record, value: null }], { ...options, baseOffset: 116 }),
    );
    assert.is(rows(log).length, BATCH_COUNT + 2);
    assert.equal(problems(log), []);
  }),
);

test.run();
