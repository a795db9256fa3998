// What produce reads: keys and times out of JSON lines, exports, and that values are the input's own bytes.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Flags, type FlagValue } from "../../../runtime/cli/flags.ts";
import type { FormatRecord } from "../../../runtime/cli/format-write.ts";
import type { InputRecord } from "../../../runtime/cli/input-field.ts";
import { openProduceInput } from "../../../runtime/cli/produce-input.ts";
import { recordToJson } from "../../../runtime/cli/record-json.ts";

const text = (bytes: Uint8Array | null) =>
  bytes === null ? null : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

async function read(
  content: string | Uint8Array,
  flags: Record<string, FlagValue>,
  option?: "from",
): Promise<InputRecord[]> {
  const folder = mkdtempSync(join(tmpdir(), "timberline-input-"));
  const file = join(folder, "input");
  try {
    writeFileSync(file, content);
    const given = new Flags(option === "from" ? { ...flags, from: file } : flags);
    const input = await openProduceInput(given, file);
    const records: InputRecord[] = [];
    for await (const group of input.groups()) for (const record of group) records.push(record);
    assert.is(input.fraction(), 1);
    return records;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("openProduceInput() takes keys and times out of JSON lines and leaves the line as it is", async () => {
  const lines = [
    '{"date":978307200000, "origin":"SFO"}',
    '{"date":978307200,"origin":null}',
    '{"date":"2001-01-01T00:00:00Z","origin":7 }',
    '{"origin":"O\\u0027Hare"}',
  ];
  const records = await read(`${lines.join("\n")}\n`, {
    keyPath: ".origin",
    timestampPath: ".date",
  });
  assert.equal(
    records.map(({ value }) => text(value)),
    lines,
  );
  assert.equal(
    records.map(({ key }) => text(key)),
    ["SFO", null, "7", "O'Hare"],
  );
  const newYear = 978_307_200_000;
  assert.equal(
    records.map(({ timestampMs }) => timestampMs),
    [newYear, newYear, newYear, null],
  );
});

test("openProduceInput() names the record that does not fit", async () => {
  const reject = async (content: string, flags: Record<string, FlagValue>, message: RegExp) => {
    try {
      await read(content, flags);
    } catch (error) {
      return assert.match((error as Error).message, message);
    }
    assert.unreachable("was taken");
  };
  await reject('{"a":1}\nnot json\n', { keyPath: ".a" }, /record 2 of the input is not JSON/);
  await reject(
    '{"a":"soon"}\n',
    { timestampPath: ".a" },
    /record 1 .* "soon" at \.a is not a time/,
  );
  await reject("x", { format: "%s\\n", keyDelimiter: ":" }, /-f and -K/);
});

test("openProduceInput() reads back what consume -J wrote, byte for byte", async () => {
  const base: FormatRecord = {
    topic: "t",
    partition: 2,
    offset: 9,
    timestampMs: 1234,
    key: Uint8Array.of(0xef, 0xbb, 0xbf, 65),
    value: Uint8Array.of(0xff, 0x00, 0x0a),
    headers: [
      { key: "h", value: null },
      { key: "h", value: Uint8Array.of(0x80) },
    ],
    leaderEpoch: 0,
    attributes: 0,
    endOffset: 10,
  };
  const tombstone = { ...base, value: null, headers: [] };
  const [first, second] = await read(
    `${recordToJson(base)}\n${recordToJson(tombstone)}\n`,
    {},
    "from",
  );
  assert.is(first?.topic, "t");
  assert.is(first?.partition, 2);
  assert.is(first?.timestampMs, 1234);
  assert.equal([...(first?.key ?? [])], [...(base.key as Uint8Array)]);
  assert.equal([...(first?.value ?? [])], [0xff, 0x00, 0x0a]);
  assert.equal(
    first?.headers.map((h) => [h.key, h.value && [...h.value]]),
    [
      ["h", null],
      ["h", [0x80]],
    ],
  );
  assert.is(second?.value, null);
});

test("openProduceInput() repeats --value without end", async () => {
  const input = await openProduceInput(new Flags({ value: "x" }), undefined);
  let count = 0;
  for await (const group of input.groups()) {
    for (const record of group) {
      assert.is(text(record.value), "x");
      count++;
    }
    if (count > 5000) break;
  }
  assert.ok(count > 5000);
});

test.run();
