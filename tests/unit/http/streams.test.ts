// NDJSON and SSE out of the log: ids and resume, keepalive, life, back pressure, clients that leave.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { openDoor, post, type TestDoor } from "./door.ts";

const path = "/v1/topics/t/partitions/0/records";
const sse = { accept: "text/event-stream" };
const lines = { accept: "application/x-ndjson" };

interface Event {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

/** Reads an open stream event by event; the limit of the suite ends a test that waits in vain. */
class Events {
  readonly response: Response;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = "";

  constructor(response: Response) {
    this.response = response;
    this.#reader = response.body!.getReader();
  }

  /** The next block, comments and bare ids included; null at the end. */
  async block(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return block;
      }
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#text += new TextDecoder().decode(value);
    }
  }

  /** The next event that carries data. */
  async next(): Promise<Event | null> {
    for (;;) {
      const block = await this.block();
      if (block === null) return null;
      const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s).slice(0, 2));
      const event = Object.fromEntries(fields) as Event;
      if (event.data !== undefined) return event;
    }
  }

  async values(count: number): Promise<unknown[]> {
    const values: unknown[] = [];
    while (values.length < count) values.push(JSON.parse((await this.next())!.data!).value);
    return values;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

async function open(door: TestDoor, url: string, headers: Record<string, string> = {}) {
  const response = await door.app.request(url, { headers: { ...sse, ...headers } });
  assert.is(response.status, 200, await (response.ok ? "" : response.text()));
  return new Events(response);
}

async function produce(door: TestDoor, ...values: string[]): Promise<void> {
  for (const value of values) await post(door, "/v1/topics/t/records", { value, partition: 0 });
}

test("partitionStream() sends what is there and what comes, with offsets as ids", async () => {
  const door = openDoor();
  await produce(door, "0", "1");
  const events = await open(door, `${path}?offset=earliest`);
  assert.is(events.response.headers.get("content-type"), "text/event-stream");
  const first = await events.next();
  assert.is(first?.id, "0");
  assert.is(JSON.parse(first!.data!).offset, 0);
  assert.equal(await events.values(1), ["1"]);
  const coming = events.next();
  await produce(door, "2");
  const live = await coming;
  assert.is(live?.id, "2");
  assert.is(JSON.parse(live!.data!).value, "2");
  await events.cancel();
  assert.is(door.counters.sseStreams, 0);
  assert.is(door.broker.unreleased, 0);
});

test("partitionStream() begins at latest unless told otherwise, and resumes after an id", async () => {
  const door = openDoor();
  await produce(door, "0", "1", "2");
  const latest = await open(door, path);
  // The id of the start comes first: cut here, a client would miss nothing.
  const opening = await latest.block();
  assert.is(opening, "retry: 1000\nid: 2");
  await latest.cancel();
  await produce(door, "3");
  const resumed = await open(door, path, { "last-event-id": "2" });
  assert.equal(await resumed.values(1), ["3"]);
  await resumed.cancel();
  const again = await open(door, `${path}?offset=earliest`, { "last-event-id": "1" });
  assert.equal(await again.values(2), ["2", "3"]);
  await again.cancel();
  const empty = openDoor();
  await post(empty, "/v1/topics", { name: "t" });
  const start = await open(empty, path);
  assert.is(await start.block(), "retry: 1000\nid: -1");
  await start.cancel();
  await produce(empty, "first");
  const all = await open(empty, path, { "last-event-id": "-1" });
  assert.equal(await all.values(1), ["first"]);
  await all.cancel();
});

test("partitionStream() keeps a silent connection alive and ends after its life", async () => {
  const door = openDoor({ limits: { sseKeepaliveMs: 5, streamLifeMsMax: 40 } });
  await produce(door, "0");
  const events = await open(door, path);
  await events.block();
  assert.is(await events.block(), ": keepalive");
  let block = await events.block();
  while (block !== null) {
    assert.is(block, ": keepalive");
    block = await events.block();
  }
  assert.is(door.counters.sseStreams, 0);
});

test("partitionStream() ends the broker's wait when the client is gone", async () => {
  for (const leave of ["cancel", "abort"]) {
    const door = openDoor();
    await produce(door, "0");
    const abort = new AbortController();
    const response = await door.app.request(path, { headers: sse, signal: abort.signal });
    const events = new Events(response);
    await events.block();
    const waiting = events.block();
    while (door.broker.fetches.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    if (leave === "cancel") await events.cancel();
    else abort.abort();
    assert.is(door.broker.fetches[1]!.signal?.aborted, true, leave);
    await waiting.catch(() => null);
    assert.is(door.counters.sseStreams, 0);
    // What the ended wait answered is given back as soon as it comes.
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.is(door.broker.unreleased, 0);
  }
});

test("partitionStream() reads no further than its client", async () => {
  const door = openDoor({ limits: { streamChunkBytes: 200 } });
  await produce(door, ...Array.from({ length: 50 }, (_, i) => `${i}`.padEnd(150, ".")));
  const events = await open(door, `${path}?offset=0`);
  await events.next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(door.broker.fetches.length <= 3, `${door.broker.fetches.length} fetches`);
  assert.is((await events.values(49)).length, 49);
  await events.cancel();
});

test("partitionStream() tells an error in the stream as an event, then ends", async () => {
  const door = openDoor({ limits: { sseKeepaliveMs: 5 } });
  await produce(door, "0");
  const events = await open(door, path);
  await door.broker.deleteTopic("t");
  const event = await events.next();
  assert.is(event?.event, "error");
  assert.is(JSON.parse(event!.data!).error.code, "UNKNOWN_TOPIC_OR_PARTITION");
  assert.is(await events.next(), null);
  assert.is(door.counters.sseStreams, 0);
});

test("partitionStream() answers with a status what is wrong from the start", async () => {
  const door = openDoor({ limits: { streamsMax: 1 } });
  await produce(door, "0");
  const cases: [string, Record<string, string>, number][] = [
    [`${path}?offset=99`, {}, 416],
    ["/v1/topics/absent/partitions/0/records", {}, 404],
    ["/v1/topics/absent/records", {}, 404],
    [path, { "last-event-id": "x" }, 400],
    ["/v1/topics/t/records", { "last-event-id": "0" }, 400],
    ["/v1/topics/t/records?partitions=0,", {}, 400],
    ["/v1/topics/t/records?partitions=7", {}, 404],
  ];
  for (const [url, headers, status] of cases) {
    const response = await door.app.request(url, { headers: { ...sse, ...headers } });
    assert.is(response.status, status, url);
    assert.is((await response.json()).error.status, status);
  }
  const open1 = await open(door, path);
  const refused = await door.app.request(path, { headers: sse });
  assert.is(refused.status, 429);
  assert.is((await refused.json()).error.code, "THROTTLING_QUOTA_EXCEEDED");
  await open1.cancel();
  await (await open(door, path)).cancel();
  const head = await door.app.request(path, { headers: sse, method: "HEAD" });
  assert.is(head.status, 200);
  assert.is(door.counters.sseStreams, 0);
});

test("topicStream() follows all partitions and resumes in each of them", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", partitions: 3 });
  const send = (partition: number, value: string) =>
    post(door, "/v1/topics/t/records", { value, partition });
  for (const partition of [0, 1, 2]) await send(partition, `${partition}a`);
  const events = await open(door, "/v1/topics/t/records?offset=earliest");
  const seen = [await events.next(), await events.next()];
  const lastId = seen[1]!.id!;
  await events.cancel();
  for (const partition of [0, 1, 2]) await send(partition, `${partition}b`);
  await door.broker.createPartitions({ name: "t", partitions: 4 });
  await send(3, "3a");
  const resumed = await open(door, "/v1/topics/t/records", { "last-event-id": lastId });
  const rest = await resumed.values(5);
  const before = seen.map((event) => JSON.parse(event!.data!).value);
  assert.equal([...before, ...rest].sort(), ["0a", "0b", "1a", "1b", "2a", "2b", "3a"]);
  await resumed.cancel();
});

test("topicStream() takes up partitions that are added while it runs", async () => {
  const door = openDoor({ limits: { sseKeepaliveMs: 5 } });
  await produce(door, "0");
  const events = await open(door, "/v1/topics/t/records");
  await events.block();
  await door.broker.createPartitions({ name: "t", partitions: 2 });
  await post(door, "/v1/topics/t/records", { value: "new", partition: 1 });
  const event = await events.next();
  assert.is(JSON.parse(event!.data!).value, "new");
  assert.is(event!.id, "0:0,1:0");
  await events.cancel();
});

test("topicStream() of NDJSON goes to the ends seen at the start, without starving any", async () => {
  const door = openDoor({ limits: { streamChunkBytes: 400 } });
  await post(door, "/v1/topics", { name: "t", partitions: 3 });
  const list = Array.from({ length: 300 }, (_, i) => ({ value: `${i}`, partition: i % 3 }));
  for (const record of list) await post(door, "/v1/topics/t/records", record);
  const response = await door.app.request("/v1/topics/t/records", { headers: lines });
  const reader = response.body!.getReader();
  let text = "";
  const late = { value: "late", partition: 0 };
  await post(door, "/v1/topics/t/records", late);
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    text += new TextDecoder().decode(chunk.value);
  }
  const records = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.is(records.length, 300);
  for (const partition of [0, 1, 2]) {
    const own = records.filter((record) => record.partition === partition);
    assert.equal(
      own.map((record) => record.offset),
      Array.from({ length: 100 }, (_, i) => i),
    );
  }
  const firsts = new Set(records.slice(0, 30).map((record) => record.partition));
  assert.is(firsts.size, 3);
  assert.is(door.counters.sseStreams, 0);
});

test("partitionStream() of NDJSON stops at max_records and at the end, or follows", async () => {
  const door = openDoor();
  await produce(door, "0", "1", "2");
  const read = async (query: string) => {
    const response = await door.app.request(`${path}${query}`, { headers: lines });
    return (await response.text()).split("\n").filter((line) => line !== "");
  };
  assert.is((await read("")).length, 3);
  assert.is((await read("?offset=1")).length, 2);
  assert.is((await read("?max_records=2")).length, 2);
  assert.is((await read("?offset=latest")).length, 0);
  const following = read("?offset=2&follow=true&max_records=2");
  await produce(door, "3");
  assert.equal(
    (await following).map((line) => JSON.parse(line).value),
    ["2", "3"],
  );
  assert.is(door.counters.sseStreams, 0);
});

test.run();
