// POST of records in every form but NDJSON: what is stored, what is refused, and what is told of both.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { partitionForKey } from "../../../runtime/partitioner.ts";
import { call, get, openDoor, platform, post, type TestDoor } from "./door.ts";

const records = "/v1/topics/t/records";
const onPartition = "/v1/topics/t/partitions/0/records";

async function stored(door: TestDoor, partition = 0) {
  const answer = await get(door, `/v1/topics/t/partitions/${partition}/records`);
  return (answer.body.records as unknown as Record<string, unknown>[]).map((record) => {
    const { offset: _, timestamp: __, partition: ___, ...rest } = record;
    return rest;
  });
}

test("produce() stores one JSON record and says where", async () => {
  const door = openDoor();
  const answer = await post(door, records, { key: "k", value: "hello", timestamp: 1234 });
  assert.is(answer.status, 200);
  assert.equal(answer.body, {
    topic: "t",
    record_count: 1,
    partitions: [
      {
        partition: 0,
        start_offset: 0,
        end_offset: 1,
        tail_offset: 1,
        record_count: 1,
        timestamp: 1234,
        log_start_offset: 0,
      },
    ],
    records: [{ partition: 0, offset: 0, timestamp: 1234 }],
  });
  assert.equal(await stored(door), [{ key: "k", value: "hello" }]);
});

test("produce() takes an array or {records} and tells each offset in the order sent", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", partitions: 3 });
  const list = Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: `${i}` }));
  for (const body of [list, { records: list }]) {
    const { body: told } = await post(door, records, body);
    assert.is(told.record_count, 50);
    const places = told.records as unknown as { partition: number; offset: number }[];
    for (const [i, place] of places.entries()) {
      const key = new TextEncoder().encode(`k${i}`);
      assert.is(place.partition, partitionForKey(key, 3));
      const at = `/v1/topics/t/partitions/${place.partition}/records?offset=${place.offset}`;
      assert.is((await get(door, at)).body.records?.[0]?.value, `${i}`);
    }
  }
});

test("produce() hands its conditions to every append, and asks for a partition", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", partitions: 1 });
  const query = "?expected_offset=0&fence=7";
  const big = { value: "x".repeat(600_000) };
  assert.is((await post(door, `${onPartition}${query}`, [big, big, big])).status, 200);
  const told = door.broker.appends.map(({ expectedOffset, fence }) => [expectedOffset, fence]);
  assert.ok(told.length > 1, "several batches");
  assert.equal(
    told,
    told.map((_, i) => [i, 7]),
  );
  for (const one of ["expected_offset=0", "fence=1"]) {
    assert.is((await post(door, `${records}?${one}`, { value: "" })).status, 400);
    assert.is((await post(door, `${records}?${one}&partition=0`, { value: "" })).status, 200);
  }
});

test("produce() stores JSON values as their compact text with all their digits", async () => {
  const door = openDoor();
  const body = '[{"value": {"n": 12345678901234567890, "f": 1.0, "s": "a b"}}, {"value": 7}]';
  await post(door, records, body, { "content-type": "application/json" });
  assert.equal(await stored(door), [
    { key: null, value: '{"n":12345678901234567890,"f":1.0,"s":"a b"}' },
    { key: null, value: "7" },
  ]);
});

test("produce() honours encodings of the record, then of the query", async () => {
  const door = openDoor();
  await post(door, `${records}?value_encoding=base64&key_encoding=json`, [
    { key: "q", value: "AAE=" },
    { key: "q", key_encoding: "text", value: "plain", value_encoding: "text" },
    { key: null, value: null },
  ]);
  assert.equal(await stored(door), [
    { key: '"q"', value: "\u0000\u0001" },
    { key: "q", value: "plain" },
    { key: null, value: null },
  ]);
});

test("produce() takes U+FFFD that was really sent, with and without a length", async () => {
  const door = openDoor();
  const body = '{"value":"\ufffd"}';
  const json = { "content-type": "application/json" };
  const length = String(new TextEncoder().encode(body).length);
  for (const headers of [json, { ...json, "content-length": length }]) {
    assert.is((await post(door, records, body, headers)).status, 200);
  }
  assert.equal(await stored(door), Array(2).fill({ key: null, value: "\ufffd" }));
});

test("produce() keeps headers in order, from a list or an object", async () => {
  const door = openDoor();
  const list = [
    { key: "a", value: "1" },
    { key: "a", value: "/w==", value_encoding: "base64" },
    { key: "n", value: null },
  ];
  await post(door, records, [
    { value: "x", headers: list },
    { value: "y", headers: { b: "2", n: null } },
  ]);
  assert.equal(await stored(door), [
    { key: null, value: "x", headers: list },
    {
      key: null,
      value: "y",
      headers: [
        { key: "b", value: "2" },
        { key: "n", value: null },
      ],
    },
  ]);
});

test("produce() takes back what fetch gave, byte for byte", async () => {
  const door = openDoor();
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  await post(door, records, bytes, { "content-type": "application/octet-stream" });
  await post(door, records, [
    { key: "", value: "\ufeffbom" },
    { key: "k", value: '{ "a": 1 }' },
  ]);
  const before = await get(door, onPartition);
  await post(door, onPartition, before.body.records);
  const after = await get(door, `${onPartition}?offset=3`);
  const strip = (told: unknown) =>
    (told as { records: object[] }).records.map((record) => ({ ...record, offset: 0 }));
  assert.is((before.body.records as unknown as unknown[]).length, 3);
  assert.equal(strip(after.body), strip(before.body));
});

test("produce() takes any other body as one value, the rest from the query", async () => {
  const door = openDoor();
  await post(door, `${records}?key=k&header=trace:%20abc&header=b:2&timestamp=2001-01-02`, "raw");
  await post(door, `${onPartition}?key=AAE%3D&key_encoding=base64`, "hello=1", {
    "content-type": "application/x-www-form-urlencoded",
  });
  const { body } = await get(door, onPartition);
  assert.is(body.records?.[0]?.timestamp, Date.UTC(2001, 0, 2));
  assert.equal(await stored(door), [
    {
      key: "k",
      value: "raw",
      headers: [
        { key: "trace", value: "abc" },
        { key: "b", value: "2" },
      ],
    },
    { key: "\u0000\u0001", value: "hello=1" },
  ]);
});

test("produce() passes acks and timeout on, and compresses on demand", async () => {
  const door = openDoor();
  const value = "again ".repeat(200);
  for (const [i, compression] of ["gzip", "snappy", "lz4", "zstd"].entries()) {
    const query = `?acks=1&timeout_ms=77&compression=${compression}`;
    await post(door, `${records}${query}`, { value });
    const request = door.broker.appends[i]!;
    assert.is(request.acks, 1);
    assert.is(request.timeoutMs, 77);
    assert.is(request.batch[22]! & 7, i + 1);
    assert.ok(request.batch.length < 500, compression);
  }
  assert.equal(await stored(door), Array(4).fill({ key: null, value }));
});

test("produce() splits what is larger than one batch, below max.message.bytes", async () => {
  const door = openDoor();
  door.broker.isSlow = true;
  door.broker.messageBytesMax = 3000;
  await post(door, "/v1/topics", { name: "t", partitions: 2 });
  const list = Array.from({ length: 40 }, (_, i) => ({
    value: `${i}`.padEnd(500, "."),
    partition: i % 2,
  }));
  const { body } = await post(door, records, list);
  assert.is(body.record_count, 40);
  assert.ok(door.broker.appends.length >= 8);
  for (const partition of [0, 1]) {
    const values = (await stored(door, partition)).map(({ value }) =>
      Number(`${value}`.replaceAll(".", "")),
    );
    assert.equal(
      values,
      Array.from({ length: 20 }, (_, i) => i * 2 + partition),
    );
  }
});

test("produce() stores nothing unless every record of the body is well-formed", async () => {
  const door = openDoor();
  const wrong: [unknown, RegExp][] = [
    [[{ value: "a" }, { vaule: "b" }], /record 1: .*"vaule"/],
    [[{ value: "a" }, { key: "b" }], /record 1: value is missing/],
    [[{ value: "a" }, 7], /record 1: a record is a JSON object/],
    [
      [{ value: "a" }, { value: "b", partition: 4 }],
      /record 1: topic t has 1 partition \(0 to 0\)/,
    ],
    [[{ value: "a" }, { value: "b", timestamp: "soon" }], /record 1: timestamp/],
    [[{ value: "a" }, { value: "b", headers: 3 }], /record 1: headers/],
    [[{ value: "a" }, { value: "?", value_encoding: "base64" }], /record 1: value is not base64/],
    [[{ value: "a" }, { value: 1, value_encoding: "text" }], /record 1: value is no string/],
    [[{ value: "a" }, { value: "\ud800" }], /record 1: value holds half a surrogate/],
    [{ records: [{ value: "a" }], acks: 1 }, /no member "acks"/],
    [[], /no records/],
  ];
  for (const [body, message] of wrong) {
    const answer = await post(door, records, body);
    assert.ok([400, 404].includes(answer.status), String(message));
    assert.match(answer.body.error?.message as unknown as string, message);
  }
  assert.is(door.broker.appends.length, 0);
});

test("produce() tells what was stored before the broker refused", async () => {
  const door = openDoor({ limits: { batchBytesMax: 600 } });
  door.broker.onAppend = () => {
    if (door.broker.appends.length === 2) throw new BrokerError("NOT_ENOUGH_REPLICAS", "too few");
  };
  const list = Array.from({ length: 9 }, (_, i) => ({ value: `${i}`.padEnd(150) }));
  const answer = await post(door, records, list);
  assert.is(answer.status, 503);
  assert.is(answer.body.error?.code, "NOT_ENOUGH_REPLICAS");
  const index = answer.body.error?.record as unknown as number;
  assert.is(answer.body.stored?.record_count, index);
  assert.is((await stored(door)).length, index);
  assert.ok(index > 0 && index < 9);
});

test("produce() refuses partitions, types and codings that cannot be", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t" });
  const json = { "content-type": "application/json" };
  const cases: [string, unknown, Record<string, string>, number][] = [
    ["/v1/topics/t/partitions/x/records", "v", {}, 404],
    ["/v1/topics/t/partitions/1/records", "v", {}, 404],
    [`${onPartition}?partition=0`, "v", {}, 400],
    [onPartition, '{"value":"v","partition":1}', json, 400],
    [`${records}?acks=2`, "v", {}, 400],
    [`${records}?compression=rar`, "v", {}, 400],
    [`${records}?unknown=1`, "v", {}, 400],
    [records, '{"value":', json, 400],
    [records, Uint8Array.of(0x22, 0xff, 0x22), json, 400],
    [records, Uint8Array.of(0x22, 0xff, 0x22), { ...json, "content-length": "3" }, 400],
    [records, "v", { "content-encoding": "gzip" }, 415],
    [records, "v", { "content-type": "multipart/form-data; boundary=x" }, 415],
    ["/v1/topics/no%20name/records", "v", {}, 400],
  ];
  for (const [path, body, headers, status] of cases) {
    const answer = await post(door, path, body, headers);
    assert.is(answer.status, status, path);
    assert.is(answer.body.error?.status, status, path);
  }
  assert.is(door.broker.appends.length, 0);
});

test("produce() creates a missing topic only where the broker may", async () => {
  const door = openDoor();
  assert.is((await post(door, records, { value: "v" })).status, 200);
  door.broker.autoCreate = false;
  const answer = await post(door, "/v1/topics/other/records", { value: "v" });
  assert.is(answer.status, 404);
  assert.is(answer.body.error?.code, "UNKNOWN_TOPIC_OR_PARTITION");
});

test("produce() keeps keyless records on one partition until a batch's worth went there", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", partitions: 4 });
  const used = new Set<unknown>();
  for (let i = 0; i < 10; i++) {
    const { body } = await post(door, records, { value: "small" });
    used.add(body.records?.[0]?.partition);
  }
  assert.is(used.size, 1);
  for (let i = 0; i < 40; i++) {
    const { body } = await post(door, records, { value: "x".repeat(9000) });
    used.add(body.records?.[0]?.partition);
  }
  assert.ok(used.size > 1);
});

test("produce() refuses bodies above the limit, with and without a length", async () => {
  const door = openDoor({ limits: { bodyBytesMax: 100 } });
  const big = "x".repeat(101);
  for (const headers of [{ "content-length": "101" }, {}]) {
    const answer = await post(door, records, big, headers as Record<string, string>);
    assert.is(answer.status, 413);
    assert.is(answer.body.error?.code, "MESSAGE_TOO_LARGE");
    assert.is(answer.body.error?.limit_bytes, 100);
  }
  assert.is((await post(door, records, "x".repeat(100))).status, 200);
  assert.is(door.counters.inflightBytes, 0);
});

test("produce() takes raw batches as they are", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", partitions: 2 });
  const encode = (value: string) =>
    platform.core.encode([{ key: null, value: new TextEncoder().encode(value), timestampMs: 5 }], {
      compression: null,
    });
  const batches = [encode("one"), encode("two")];
  const body = new Uint8Array([...batches[0]!, ...batches[1]!]);
  const headers = { "content-type": "application/vnd.timberline.batches" };
  const answer = await call(door, "POST", "/v1/topics/t/partitions/1/records", body, headers);
  assert.is(answer.body.record_count, 2);
  assert.is(answer.body.partitions?.[0]?.end_offset, 2);
  for (const [i, { batch }] of door.broker.appends.entries()) {
    assert.equal(batch.subarray(8), batches[i]!.subarray(8));
  }
  assert.is((await call(door, "POST", records, body, headers)).status, 400);
  const torn = await call(door, "POST", `${records}?partition=1`, body.subarray(0, -1), headers);
  assert.is(torn.status, 422);
  assert.is(torn.body.error?.code, "CORRUPT_MESSAGE");
  assert.is(torn.body.stored?.record_count, 1);
  const damaged = body.slice();
  damaged[70]! ^= 1;
  const refused = await call(door, "POST", `${records}?partition=0`, damaged, headers);
  assert.is(refused.body.error?.code, "CORRUPT_MESSAGE");
  assert.is(refused.body.error?.batch, 0);
});

test.run();
