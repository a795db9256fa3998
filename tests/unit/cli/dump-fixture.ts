// A partition's folder as Kafka lays it out, written by the test itself: the dump has to read it back.

import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPlatform } from "#platform";

export const platform = createPlatform();
const utf8 = new TextEncoder();

export const BATCH_COUNT = 5;
export const RECORDS_PER_BATCH = 3;
export const BASE_TIME_MS = Date.UTC(2001, 0, 1);

export interface Fixture {
  readonly dataDir: string;
  readonly folder: string;
  readonly log: string;
  readonly index: string;
  readonly timeIndex: string;
}

/** Five batches of three records from offset 100 on; the second is gzip, indexes point at the third and fourth. */
export function writeFixture(): Fixture {
  const dataDir = mkdtempSync(join(tmpdir(), "timberline-dump-"));
  const folder = join(dataDir, "flights-0");
  mkdirSync(folder);
  const batches = Array.from({ length: BATCH_COUNT }, (_, i) => encodeBatch(i));
  const positions = batches.map((_, i) =>
    batches.slice(0, i).reduce((sum, b) => sum + b.length, 0),
  );
  const base = join(folder, "00000000000000000100");
  writeFileSync(`${base}.log`, Buffer.concat(batches));
  const index = Buffer.alloc(24);
  const timeIndex = Buffer.alloc(24);
  [2, 3].forEach((batch, entry) => {
    const lastRelative = batch * RECORDS_PER_BATCH + RECORDS_PER_BATCH - 1;
    index.writeInt32BE(lastRelative, entry * 8);
    index.writeInt32BE(positions[batch] as number, entry * 8 + 4);
    timeIndex.writeBigInt64BE(BigInt(timeOf(batch, RECORDS_PER_BATCH - 1)), entry * 12);
    timeIndex.writeInt32BE(lastRelative, entry * 12 + 8);
  });
  writeFileSync(`${base}.index`, index);
  writeFileSync(`${base}.timeindex`, timeIndex);
  writeFileSync(join(folder, "leader-epoch-checkpoint"), "0\n1\n0 100\n");
  writeFileSync(
    join(folder, "partition.metadata"),
    "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n",
  );
  writeFileSync(join(dataDir, "recovery-point-offset-checkpoint"), "0\n1\nflights 0 115\n");
  writeFileSync(join(dataDir, "meta.properties"), "#\nversion=1\nnode.id=1\n");
  return {
    dataDir,
    folder,
    log: `${base}.log`,
    index: `${base}.index`,
    timeIndex: `${base}.timeindex`,
  };
}

function timeOf(batch: number, record: number): number {
  return BASE_TIME_MS + batch * 1000 + record;
}

function encodeBatch(i: number): Uint8Array {
  const records = Array.from({ length: RECORDS_PER_BATCH }, (_, r) => ({
    key: r === 0 ? null : utf8.encode(`key${r}`),
    value: utf8.encode(`value ${i}.${r}`),
    timestampMs: timeOf(i, r),
    headers: r === 1 ? [{ key: "trace", value: utf8.encode("t") }] : [],
  }));
  const compression = i === 1 ? { id: 1, compress: platform.codecs.gzip.compress } : null;
  return platform.core.encode(records, {
    compression,
    baseOffset: 100 + i * RECORDS_PER_BATCH,
    leaderEpoch: 0,
    ...(i === 2 ? { producerId: 7, producerEpoch: 0, baseSequence: 40 } : {}),
  });
}
