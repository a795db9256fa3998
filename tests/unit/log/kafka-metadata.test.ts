// The topic configs in Kafka's metadata log: a snapshot, the records after it, and what is no longer true.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { readKafkaTopicConfigs } from "../../../runtime/log/kafka-metadata.ts";
import { MemoryStorage } from "../../../runtime/storage/memory.ts";
import { platform } from "../../support/log-fixture.ts";
import { writeRaw } from "../storage-wasm/batch-writer.ts";

const folder = "__cluster_metadata-0";

/** Metadata records as Kafka writes them: frame version, kind, version, fields. */
const topic = (name: string, id: number) => [1, 2, 0, ...text(name), ...uuid(id), 0];
const removal = (id: number) => [1, 9, 0, ...uuid(id), 0];
const config = (name: string, key: string, value: string | null, resource = 2) => [
  ...[1, 4, 0, resource, ...text(name), ...text(key)],
  ...(value === null ? [0] : text(value)),
  0,
];
const other = [1, 27, 0, 9, 9, 9];

function text(value: string): number[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [bytes.length + 1, ...bytes];
}

function uuid(id: number): number[] {
  return new Array<number>(16).fill(id);
}

function batch(baseOffset: number, records: readonly number[][]): Uint8Array {
  const bytes = platform.core.encode(
    records.map((value) => ({ key: null, value: Uint8Array.from(value), timestampMs: 1 })),
    { compression: null },
  );
  new DataView(bytes.buffer, bytes.byteOffset).setBigInt64(0, BigInt(baseOffset));
  return bytes;
}

function read(files: Record<string, readonly Uint8Array[]>) {
  const storage = new MemoryStorage(Infinity);
  for (const [name, batches] of Object.entries(files)) {
    storage.writeFile(`${folder}/${name}`, Uint8Array.from(batches.flatMap((each) => [...each])));
  }
  const found = readKafkaTopicConfigs({ storage, core: platform.core, codecs: platform.codecs });
  return (
    found && Object.fromEntries([...found].map(([name, map]) => [name, Object.fromEntries(map)]))
  );
}

const firstLog = `${"0".repeat(20)}.log`;
const control = writeRaw(Uint8Array.from([12, 0, 0, 0, 1, 0, 0]), { attributes: 0x20 });

test("readKafkaTopicConfigs() gives the last value of every topic config", () => {
  const found = read({
    [firstLog]: [
      control,
      batch(1, [topic("a", 1), topic("b", 2), other, config("1", "log.retention.ms", "5", 4)]),
      batch(5, [config("a", "retention.ms", "-1"), config("a", "segment.bytes", "1048576")]),
      batch(7, [config("a", "segment.bytes", null), config("a", "retention.ms", "60000")]),
    ],
  });
  assert.equal(found, { a: { "retention.ms": "60000" }, b: {} });
});

test("readKafkaTopicConfigs() forgets a topic that was removed, and its configs", () => {
  const records = [topic("a", 1), config("a", "retention.ms", "1"), removal(1), topic("a", 2)];
  assert.equal(read({ [firstLog]: [batch(0, records)] }), { a: {} });
});

test("readKafkaTopicConfigs() begins with the newest snapshot and skips the log before its end", () => {
  const found = read({
    [`${"0".repeat(19)}3-0000000001.checkpoint`]: [batch(0, [topic("old", 9)])],
    [`${"0".repeat(18)}10-0000000001.checkpoint`]: [
      batch(0, [topic("a", 1), config("a", "retention.ms", "10")]),
    ],
    [firstLog]: [
      batch(0, [topic("a", 1), config("a", "retention.ms", "1")]),
      batch(10, [config("a", "retention.bytes", "7")]),
    ],
  });
  assert.equal(found, { a: { "retention.ms": "10", "retention.bytes": "7" } });
});

test("readKafkaTopicConfigs() is null without a metadata log, and for one that it cannot read", () => {
  assert.is(read({}), null);
  assert.is(read({ [firstLog]: [batch(0, [[1, 4, 0, 2, 200, 65]])] }), null);
});

test("readKafkaTopicConfigs() leaves out a batch that was not written whole", () => {
  const whole = batch(0, [topic("a", 1), config("a", "retention.ms", "1")]);
  const torn = batch(2, [config("a", "retention.ms", "2")]).subarray(0, 70);
  assert.equal(read({ [firstLog]: [whole, torn] }), { a: { "retention.ms": "1" } });
});

test.run();
