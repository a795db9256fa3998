// NDJSON streams into the log: cuts, batches, slow senders, wrong lines, acknowledgements.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { call, get, ndjson, openDoor, post, streamed } from "./door.ts";

const records = "/v1/topics/t/records";

test("produceLines() stores lines however the stream is cut", async () => {
  const door = openDoor();
  const text =
    '{"key":"ü","value":"ö1"}\r\n\n{"value":{"n": 1.50}}\n{"value":"last","timestamp":9}';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 3, 1000]) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
    const answer = await post(door, records, streamed(pieces), ndjson);
    assert.is(answer.status, 200, answer.text);
    assert.is(answer.body.record_count, 3);
  }
  const { body } = await get(door, "/v1/topics/t/partitions/0/records?offset=6");
  const got = (body.records as unknown as { key: string; value: string; timestamp: number }[]).map(
    ({ key, value }) => [key, value],
  );
  assert.equal(got, [
    ["ü", "ö1"],
    [null, '{"n":1.50}'],
    [null, "last"],
  ]);
  assert.is(body.records?.[2]?.timestamp, 9);
});

test("produceLines() gathers batches by size, and keeps few under way", async () => {
  const door = openDoor({ limits: { batchBytesMax: 4000, appendsMax: 3 } });
  door.broker.isSlow = true;
  let underWay = 0;
  let most = 0;
  const { append } = door.broker;
  door.broker.append = (request) => {
    most = Math.max(most, ++underWay);
    const appended = append.call(door.broker, request) as Promise<never>;
    return appended.finally(() => underWay--);
  };
  const line = `${JSON.stringify({ value: "v".repeat(100) })}\n`;
  const answer = await post(door, records, streamed([line.repeat(1000)]), ndjson);
  assert.is(answer.body.record_count, 1000);
  assert.is(answer.body.partitions?.[0]?.end_offset, 1000);
  assert.ok(door.broker.appends.length >= 25 && door.broker.appends.length < 60);
  assert.ok(most <= 3, `${most} under way`);
});

test("produceLines() stores a slow stream's lines while it is still open", async () => {
  const door = openDoor({ limits: { batchLingerMs: 1 } });
  let release = (_: string) => {};
  const pieces: Promise<string>[] = [
    Promise.resolve('{"value":"early"}\n'),
    new Promise((resolve) => {
      release = resolve;
    }),
  ];
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = await pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(encoder.encode(piece));
    },
  });
  const answering = post(door, records, body, ndjson);
  const seen = await get(door, "/v1/topics/t/partitions/0/records?wait=5000").then((answer) =>
    answer.status === 404 ? waitFor(door) : answer,
  );
  assert.is(seen.body.records?.[0]?.value, "early");
  release('{"value":"late"}\n');
  assert.is((await answering).body.record_count, 2);
});

async function waitFor(door: ReturnType<typeof openDoor>) {
  for (let i = 0; i < 100; i++) {
    const answer = await get(door, "/v1/topics/t/partitions/0/records?wait=1000");
    if (answer.status === 200) return answer;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("never stored");
}

test("produceLines() names the line that is wrong and tells what was stored before", async () => {
  const wrong: [string | Uint8Array, string, RegExp][] = [
    ['{"value":', "INVALID_REQUEST", /^line 3: malformed JSON/],
    ['{"value":1,"x":2}', "INVALID_REQUEST", /^line 3: .*"x"/],
    ['{"value":1,"partition":8}', "UNKNOWN_TOPIC_OR_PARTITION", /^line 3: topic t has/],
    [Uint8Array.of(0xff), "INVALID_REQUEST", /^line 3: not UTF-8/],
    ["x".repeat(300), "MESSAGE_TOO_LARGE", /longer than 200 bytes/],
  ];
  for (const [line, code, message] of wrong) {
    const door = openDoor({ limits: { lineBytesMax: 200 } });
    const body = streamed(['{"value":1}\n{"value":2}\n', line, '\n{"value":4}\n']);
    const answer = await post(door, records, body, ndjson);
    assert.is(answer.body.error?.code, code, answer.text);
    assert.match(answer.body.error?.message as unknown as string, message);
    assert.is(answer.body.stored?.record_count, 2);
    assert.is(answer.body.stored?.partitions?.[0]?.end_offset, 2);
    const { body: kept } = await get(door, "/v1/topics/t/partitions/0/records");
    assert.is(kept.high_watermark, 2);
    assert.is(door.counters.inflightBytes, 0);
  }
});

test("produceLines() stops at the first batch the broker refuses", async () => {
  const door = openDoor({ limits: { batchBytesMax: 1000 } });
  door.broker.onAppend = () => {
    if (door.broker.appends.length === 3) throw new BrokerError("KAFKA_STORAGE_ERROR", "disk full");
  };
  const line = `${JSON.stringify({ value: "v".repeat(100) })}\n`;
  const answer = await post(door, records, streamed(Array(50).fill(line)), ndjson);
  assert.is(answer.status, 503);
  assert.is(answer.body.error?.code, "KAFKA_STORAGE_ERROR");
  const count = answer.body.stored?.record_count as unknown as number;
  assert.is(answer.body.error?.line, count + 1);
  assert.is(door.broker.appends.length, 3);
});

test("produceLines() tells a broken connection from a stored stream", async () => {
  const door = openDoor();
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pulls++ > 0) controller.error(new Error("reset"));
      else controller.enqueue(new TextEncoder().encode('{"value":1}\n{"val'));
    },
  });
  const answer = await post(door, records, body, ndjson);
  assert.is(answer.status, 400);
  assert.is(answer.body.error?.code, "NETWORK_EXCEPTION");
  assert.is(answer.body.stored?.record_count, 1);
});

test("produceLines() acknowledges batch by batch where NDJSON is accepted", async () => {
  const door = openDoor({ limits: { batchBytesMax: 1000 } });
  const line = `${JSON.stringify({ value: "v".repeat(100) })}\n`;
  const headers = { ...ndjson, accept: "application/x-ndjson" };
  const answer = await call(door, "POST", records, streamed(Array(20).fill(line)), headers);
  assert.is(answer.headers.get("content-type"), "application/x-ndjson");
  const told = answer.text
    .trim()
    .split("\n")
    .map((each) => JSON.parse(each));
  const last = told.pop();
  assert.is(last.stored.record_count, 20);
  assert.ok(told.length >= 3);
  let lineExpected = 1;
  for (const ack of told) {
    assert.is(ack.first_line, lineExpected);
    assert.is(ack.start_offset, lineExpected - 1);
    assert.is(ack.end_offset, ack.last_line);
    lineExpected = ack.last_line + 1;
  }
  assert.is(lineExpected, 21);
  const failing = await call(door, "POST", records, streamed([line, "{\n"]), headers);
  const end = JSON.parse(failing.text.trim().split("\n").at(-1)!);
  assert.is(end.error.line, 2);
  assert.is(end.stored.record_count, 1);
  assert.is(door.counters.inflightBytes, 0);
});

test.run();
