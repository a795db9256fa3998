// GET of one partition's records: where it begins and ends, how records are shown, raw batches, releases.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { RecordInput } from "../../../storage-wasm/core.ts";
import { get, openDoor, platform, post, type TestDoor } from "./door.ts";

const path = "/v1/topics/t/partitions/0/records";
const encoder = new TextEncoder();

function input(value: string, timestampMs = 0): RecordInput {
  return { key: null, value: encoder.encode(value), timestampMs };
}

/** Batches of the given values, one batch per list. */
async function filled(door: TestDoor, batches: readonly (readonly string[])[]): Promise<void> {
  if (!door.broker.cluster().topics.has("t")) await post(door, "/v1/topics", { name: "t" });
  for (const values of batches) {
    const batch = platform.core.encode(
      values.map((value) => input(value, 1000 + Number.parseInt(value, 10))),
      { compression: null },
    );
    append(door, batch);
  }
}

function append(door: TestDoor, batch: Uint8Array): void {
  door.broker.append({ topic: "t", partition: 0, batch, acks: -1, timeoutMs: 0 });
}

function values(body: unknown): unknown[] {
  return (body as { records: { value: unknown }[] }).records.map((record) => record.value);
}

test("fetch() gives a page from an offset, skipping what its batch holds before", async () => {
  const door = openDoor();
  await filled(door, [["0", "1", "2"], ["3", "4"], ["5"]]);
  const { body } = await get(door, `${path}?offset=1&max_records=3`);
  assert.equal(values(body), ["1", "2", "3"]);
  assert.is(body.next_offset, 4);
  assert.is(body.high_watermark, 6);
  assert.is(body.log_start_offset, 0);
  const next = await get(door, `${path}?offset=4`);
  assert.equal(values(next.body), ["4", "5"]);
  assert.is(next.body.next_offset, 6);
  const end = await get(door, `${path}?offset=6`);
  assert.equal(values(end.body), []);
  assert.is(end.body.next_offset, 6);
  assert.is(door.broker.unreleased, 0);
});

test("fetch() begins at names, from the end, and at times", async () => {
  const door = openDoor();
  await filled(door, [["0"], ["1"], ["2"]]);
  const starts: [string, string[]][] = [
    ["", ["0", "1", "2"]],
    ["?offset=earliest", ["0", "1", "2"]],
    ["?offset=latest", []],
    ["?offset=-2", ["1", "2"]],
    ["?offset=-99", ["0", "1", "2"]],
    ["?timestamp=1001", ["1", "2"]],
    ["?timestamp=1970-01-01T00:00:01.002Z", ["2"]],
    ["?timestamp=9999", []],
  ];
  for (const [query, expected] of starts) {
    assert.equal(values((await get(door, path + query)).body), expected, query);
  }
});

test("fetch() reads at most max_bytes, but always a whole first batch", async () => {
  const door = openDoor({ limits: { decodeBytesMax: 300 } });
  const long = "7".repeat(100);
  await filled(door, [[long], [long], [long]]);
  assert.is(values((await get(door, `${path}?max_bytes=1`)).body).length, 1);
  assert.is(values((await get(door, `${path}?max_bytes=999999`)).body).length, 1);
  assert.ok(door.broker.fetches.every((fetch) => fetch.bytesMax <= 300));
});

test("fetch() waits for a record, and no longer than asked", async () => {
  const door = openDoor({ limits: { fetchWaitMsMax: 20 } });
  await filled(door, [["0"]]);
  const waiting = get(door, `${path}?offset=1&wait=5000`);
  await filled(door, [["1"]]);
  assert.equal(values((await waiting).body), ["1"]);
  assert.equal(values((await get(door, `${path}?offset=2&wait=5000`)).body), []);
  assert.is(door.broker.fetches.at(-1)!.waitMsMax, 20);
});

test("fetch() ends its wait when the client is gone", async () => {
  const door = openDoor();
  await filled(door, [["0"]]);
  const abort = new AbortController();
  const answering = door.app.request(`${path}?offset=1&wait=30000`, { signal: abort.signal });
  while (door.broker.fetches.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  abort.abort();
  await answering;
  assert.is(door.broker.unreleased, 0);
});

test("fetch() shows text as text, else base64, or as asked", async () => {
  const door = openDoor();
  const values = [Uint8Array.of(0xff, 0), '{"n": 12345678901234567890}', "plain", "null"];
  for (const value of values) await post(door, "/v1/topics/t/records?key=k", value);
  const shown = async (query: string) => {
    const { text } = await get(door, `${path}${query}`);
    return [...text.matchAll(/("value":.*?)}(?=,{"partition"|])/g)].map((match) => match[1]);
  };
  assert.equal(await shown(""), [
    '"value":"/wA=","value_encoding":"base64"',
    '"value":"{\\"n\\": 12345678901234567890}"',
    '"value":"plain"',
    '"value":"null"',
  ]);
  assert.equal(await shown("?value_encoding=json"), [
    '"value":"/wA=","value_encoding":"base64"',
    '"value":{"n":12345678901234567890},"value_encoding":"json"',
    '"value":"plain"',
    '"value":"null"',
  ]);
  assert.is(
    (await shown("?value_encoding=base64"))[2],
    '"value":"cGxhaW4=","value_encoding":"base64"',
  );
  assert.is((await shown("?value_encoding=text"))[0], '"value":"\ufffd\\u0000"');
  const { body } = await get(door, `${path}?key_encoding=base64`);
  assert.is(body.records?.[2]?.key, "aw==");
});

test("fetch() skips control batches and aborted transactions", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t" });
  const one = (value: string, producerId: number, extra: object = {}) =>
    append(
      door,
      platform.core.encode([input(value)], {
        compression: null,
        producerId,
        producerEpoch: 0,
        baseSequence: 0,
        isTransactional: true,
        ...extra,
      }),
    );
  const abortKey = { key: Uint8Array.of(0, 0, 0, 0), value: new Uint8Array(6), timestampMs: 0 };
  one("kept", 1);
  one("aborted", 2);
  append(
    door,
    platform.core.encode([abortKey], {
      compression: null,
      producerId: 2,
      producerEpoch: 0,
      baseSequence: -1,
      isTransactional: true,
      isControl: true,
    }),
  );
  one("after the marker", 2);
  door.broker.abortedTransactions = [{ producerId: 2, firstOffset: 1 }];
  const committed = await get(door, `${path}?isolation=read_committed`);
  assert.equal(values(committed.body), ["kept", "after the marker"]);
  assert.is(committed.body.next_offset, 4);
  door.broker.abortedTransactions = [];
  assert.equal(values((await get(door, path)).body), ["kept", "aborted", "after the marker"]);
});

test("fetch() refuses to unpack a compression bomb, in one clear sentence", async () => {
  const door = openDoor({ limits: { decompressedBytesMax: 10_000 } });
  await post(door, "/v1/topics/t/records?compression=gzip", "0".repeat(1_000_000));
  await post(door, "/v1/topics/t/records", "behind it");
  const answer = await get(door, path);
  assert.is(answer.status, 413);
  assert.is(answer.body.error?.code, "MESSAGE_TOO_LARGE");
  assert.match(answer.body.error?.message as unknown as string, /offset 0 of t-0/);
  assert.equal(values((await get(door, `${path}?offset=1`)).body), ["behind it"]);
  assert.is(door.broker.unreleased, 0);
});

test("fetch() gives whole raw batches, with the next offset beside them", async () => {
  const door = openDoor();
  await filled(door, [["0", "1"], ["2"]]);
  for (const [accept, type] of [
    ["application/octet-stream", "application/octet-stream"],
    ["application/vnd.timberline.batches", "application/vnd.timberline.batches"],
  ] as const) {
    const response = await door.app.request(`${path}?offset=1`, { headers: { accept } });
    assert.is(response.headers.get("content-type"), type);
    assert.is(response.headers.get("timberline-next-offset"), "3");
    assert.is(response.headers.get("timberline-high-watermark"), "3");
    const bytes = new Uint8Array(await response.arrayBuffer());
    const sent = door.broker.appends.map(({ batch }) => [...batch]);
    assert.equal([...bytes], sent.flat());
    assert.is(response.headers.get("content-length"), String(bytes.length));
    assert.is(door.broker.unreleased, 0);
  }
});

test("fetch() of raw batches cuts a torn tail and pumps parts of files", async () => {
  const door = openDoor();
  await filled(door, [["0"], ["1"], ["2"]]);
  const whole = new Uint8Array(door.broker.appends.flatMap(({ batch }) => [...batch]));
  const read = async (into: Uint8Array, position: number) => {
    into.set(whole.subarray(position, position + into.length));
    return into.length;
  };
  const { fetch } = door.broker;
  let releases = 0;
  door.broker.fetch = async (request) => {
    const [answer] = await fetch.call(door.broker, request);
    answer!.records.release();
    const file = { path: "0.log", read } as never;
    const at = 100;
    const parts = [whole.subarray(0, at), { file, position: at, length: whole.length - at - 5 }];
    const length = whole.length - 5;
    return [{ ...answer!, records: { length, parts, release: () => void releases++ } }];
  };
  const response = await door.app.request(`${path}?format=batches`);
  assert.is(response.headers.get("timberline-next-offset"), "2");
  const bytes = new Uint8Array(await response.arrayBuffer());
  assert.equal([...bytes], [...whole.subarray(0, (whole.length / 3) * 2)]);
  assert.is(releases, 1);
});

test("fetch() of raw batches releases them when the client goes, or asked by HEAD", async () => {
  const door = openDoor();
  await filled(door, [["0"]]);
  const cancelled = await door.app.request(`${path}?format=batches`);
  assert.is(door.broker.unreleased, 1);
  await cancelled.body!.cancel();
  assert.is(door.broker.unreleased, 0);
  const abort = new AbortController();
  await door.app.request(`${path}?format=batches`, { signal: abort.signal });
  assert.is(door.broker.unreleased, 1);
  abort.abort();
  assert.is(door.broker.unreleased, 0);
  const head = await door.app.request(`${path}?format=batches`, { method: "HEAD" });
  assert.is(head.headers.get("timberline-next-offset"), "1");
  assert.is(door.broker.unreleased, 0);
});

test("fetch() refuses what cannot be, in one error shape", async () => {
  const door = openDoor();
  await filled(door, [["0"]]);
  const cases: [string, number, string][] = [
    ["/v1/topics/absent/partitions/0/records", 404, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["/v1/topics/t/partitions/9/records", 404, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["/v1/topics/t/partitions/x/records", 404, "UNKNOWN_TOPIC_OR_PARTITION"],
    [`${path}?offset=99`, 416, "OFFSET_OUT_OF_RANGE"],
    [`${path}?offset=soon`, 400, "INVALID_REQUEST"],
    [`${path}?timestamp=soon`, 400, "INVALID_REQUEST"],
    [`${path}?offset=0&timestamp=0`, 400, "INVALID_REQUEST"],
    [`${path}?max_records=0`, 400, "INVALID_REQUEST"],
    [`${path}?offst=0`, 400, "INVALID_REQUEST"],
    [`${path}?wait=1&wait=2`, 400, "INVALID_REQUEST"],
  ];
  for (const [url, status, code] of cases) {
    const answer = await get(door, url);
    assert.is(answer.status, status, url);
    assert.is(answer.body.error?.code, code, url);
  }
  assert.is((await get(door, path, { accept: "image/png" })).status, 406);
  assert.is((await get(door, path, { accept: "image/png, */*;q=0.1" })).status, 200);
  assert.is(door.broker.unreleased, 0);
});

test("fetch() with clamp moves an offset that is not there to the nearest end", async () => {
  const door = openDoor();
  await post(door, "/v1/topics/t/records", [{ value: "a" }, { value: "b" }, { value: "c" }]);
  await post(door, "/v1/topics/t/partitions/0/delete-records", { offset: 1 });
  const path = "/v1/topics/t/partitions/0/records?format=json";
  assert.is((await get(door, `${path}&offset=0`)).status, 416);
  const offsets = [];
  for (const offset of [0, 2, 99]) {
    offsets.push((await get(door, `${path}&clamp=true&offset=${offset}`)).body.next_offset);
  }
  assert.equal(offsets as unknown, [3, 3, 3]);
  const { body } = await get(door, `${path}&clamp=true&offset=0`);
  assert.is(body.records?.[0]?.value, "b");
  const lines = `${path.replace("json", "ndjson")}&clamp=true&offset=0`;
  assert.match((await get(door, lines)).text, /"value":"b"/);
});

test("fetch() lets caches keep what lies below the end, and asks them to look again", async () => {
  const door = openDoor();
  for (const value of ["a", "b", "c"]) await post(door, "/v1/topics/t/records", { value });
  const path = "/v1/topics/t/partitions/0/records";
  const kept = await get(door, `${path}?offset=0&max_records=2`);
  assert.match(kept.headers.get("cache-control")!, /^public, max-age=60/);
  assert.is(kept.headers.get("vary"), "accept");
  const tag = { "if-none-match": kept.headers.get("etag")! };
  const again = await get(door, `${path}?offset=0&max_records=2`, tag);
  assert.is(again.status, 304);
  assert.is(again.text, "");
  const other = await get(door, `${path}?offset=0&max_records=1`, tag);
  assert.is(other.status, 200);
  for (const query of ["offset=0", "offset=3", "offset=earliest&max_records=1", "offset=-2"]) {
    const open = await get(door, `${path}?${query}`);
    assert.is(open.headers.get("cache-control"), "no-store", query);
    assert.is(open.headers.get("etag"), null, query);
  }
  const one = await get(door, `${path}?offset=0&max_bytes=1&format=batches`);
  assert.match(one.headers.get("cache-control")!, /^public/);
  const same = await get(door, `${path}?offset=0&max_bytes=1&format=batches`, {
    "if-none-match": one.headers.get("etag")!,
  });
  assert.is(same.status, 304);
  assert.is(door.broker.unreleased, 0);
  const mine = { authorization: "Basic x" };
  const personal = await get(door, `${path}?offset=0&max_records=2`, mine);
  assert.match(personal.headers.get("cache-control")!, /^private/);
});

test.run();
