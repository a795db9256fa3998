// Hostile input to a live server: random and cut frames, sizes and counts that lie, wrong batches, compression
// bombs, broken HTTP. Each ends in Kafka's error or a closed connection; a client beside notices nothing, memory
// stays bounded, and what was acknowledged stays.
// Time limit: 120 s

import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { request, requestJson } from "../support/http-client.ts";
import { TestServer } from "../support/server.ts";
import { type WrittenHeader, writeBatch, writeRaw } from "../unit/storage-wasm/batch-writer.ts";
import { Bystander, peakMiB } from "./bystander.ts";
import { frameOf, produceFrame, produceRaw, RawConnection } from "./raw-connection.ts";

/** Codes of the protocol's page. */
const code = {
  none: 0,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  messageTooLarge: 10,
  invalidTopic: 17,
  invalidRequiredAcks: 21,
  invalidTimestamp: 32,
  unsupportedForMessageFormat: 43,
  unsupportedCompression: 76,
  invalidRecord: 87,
} as const;

/** The whole of it: runtime, buffers of 256 MiB for requests on their way, one unpacked batch. */
const memoryMiBMax = 512;
/** What the broker may do for others while a record of the client beside waits. Of the machine's other work nothing is known. */
const besideCpuMsMax = 1_000;
/** What such a record may take at all: the machine may be busy, but nothing waits for a timeout. */
const besideMsMax = 15_000;

let server: TestServer;
let beside: Bystander;

test.before(async () => {
  server = await TestServer.start();
  for (const [name, configs] of [
    ["beside", {}],
    ["target", {}],
    ["rewriting", { "compression.type": "zstd" }],
  ] as const) {
    await request(`${server.http}/v1/topics`, { body: { name, configs } });
  }
});
test.before.each(() => {
  beside = new Bystander(server, "beside");
});
test.after.each(async () => {
  await beside.close();
  await request(`${server.http}/healthz`);
});
test.after(async () => {
  await server.kill();
});

test("random bytes end their own connection and nothing else", async () => {
  const random = randomBytes(0xbad);
  await inParallel(200, async (i) => {
    const connection = await RawConnection.open(server.kafka);
    connection.send(random(1 + ((i * 37) % 5000)));
    await new Promise((resolve) => setTimeout(resolve, 5));
    connection.close();
  });
  await finishBeside();
});

test("every API takes any body: it answers or closes, and lives on", async () => {
  const random = randomBytes(0xb0d);
  const fills = [
    () => random(200),
    () => Buffer.alloc(64, 0xff),
    () => Buffer.from("7fffffff".repeat(16), "hex"),
    () => Buffer.alloc(300),
    () => Buffer.alloc(0),
  ];
  await inParallel(93, async (apiKey) => {
    for (let version = 0; version <= 18; version += 3) {
      for (const fill of fills) {
        const connection = await RawConnection.open(server.kafka);
        connection.send(frameOf(apiKey, version, fill()));
        // A request that means something may rightly wait for records.
        await connection.frame(300).catch(() => null);
        connection.close();
      }
    }
  });
  await finishBeside();
});

test("a produce request cut anywhere leaves nothing behind", async () => {
  const frame = produceFrame({ topic: "target", batch: writeBatch([{ value: bytes("cut") }]) });
  const before = await endOffset("target");
  await inParallel(frame.length - 1, async (i) => {
    const connection = await RawConnection.open(server.kafka);
    connection.send(frame.subarray(0, i + 1));
    connection.close();
  });
  assert.is(await endOffset("target"), before);
  await finishBeside();
});

test("a frame size that lies closes the connection at once", async () => {
  for (const size of [-1, -(2 ** 31), 2 ** 31 - 1, 101 * 2 ** 20, 0, 3]) {
    const connection = await RawConnection.open(server.kafka);
    const head = Buffer.alloc(64);
    head.writeInt32BE(size);
    connection.send(head);
    assert.is(await connection.frame(5_000), null, `size ${size}`);
  }
  await finishBeside();
});

test("many large frames that never end take bounded memory", async () => {
  const connections: RawConnection[] = [];
  for (let i = 0; i < 40; i += 1) {
    const connection = await RawConnection.open(server.kafka);
    const head = Buffer.alloc(4);
    head.writeInt32BE(90 * 2 ** 20);
    connection.send(head);
    connection.send(Buffer.alloc(4 * 2 ** 20));
    connections.push(connection);
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  for (const connection of connections) connection.close();
  await finishBeside();
});

test("an unknown API or version closes the connection, but for ApiVersions", async () => {
  const asked: [number, number, boolean][] = [
    [18, 99, true],
    [18, -1, true],
    [999, 0, false],
    [-1, 0, false],
    [1, 99, false],
    [0, 99, false],
  ];
  for (const [key, version, isAnswered] of asked) {
    const connection = await RawConnection.open(server.kafka);
    connection.send(frameOf(key, version, Buffer.alloc(0)));
    const answer = await connection.frame(5_000);
    assert.is(answer !== null, isAnswered, `key ${key} version ${version}`);
    if (answer !== null) assert.is(answer.readInt16BE(4), 35);
    connection.close();
  }
  await finishBeside();
});

test("a wrong batch gets Kafka's error, and the right one after it is stored", async () => {
  const good = writeBatch([{ value: bytes("a") }, { value: bytes("b") }], now());
  const lies = (header: WrittenHeader) =>
    writeBatch([{ value: bytes("a") }, { value: bytes("b") }], { ...now(), ...header });
  const patched = (at: number, value: number): Uint8Array => {
    const batch = Buffer.from(good);
    batch[at] = value;
    return batch;
  };
  const { corruptMessage, invalidRecord, unsupportedForMessageFormat } = code;
  const unfit = [corruptMessage, invalidRecord];
  const wrong: [string, Uint8Array | null, readonly number[]][] = [
    ["a changed byte", patched(good.length - 2, 0x7f), [corruptMessage]],
    ["a length beyond its end", patched(11, 0xf0), unfit],
    ["a length too short", patched(11, 40), unfit],
    ["a negative length", patched(8, 0xff), unfit],
    ["magic 0", patched(16, 0), [...unfit, unsupportedForMessageFormat]],
    ["magic 9", patched(16, 9), [...unfit, unsupportedForMessageFormat]],
    ["no records", null, unfit],
    ["zero bytes", new Uint8Array(0), unfit],
    ["two batches", Buffer.concat([good, good]), [invalidRecord]],
    ["a control batch", lies({ attributes: 0x20 }), [invalidRecord]],
    ["codec 7", lies({ attributes: 7 }), [...unfit, code.unsupportedCompression]],
    ["count 3 of 2", lies({ count: 3, lastOffsetDelta: 2 }), unfit],
    ["count 1 of 2", lies({ count: 1, lastOffsetDelta: 0 }), unfit],
    ["a negative count", lies({ count: -1 }), unfit],
    ["a huge count", lies({ count: 2 ** 31 - 1, lastOffsetDelta: 2 ** 31 - 2 }), unfit],
    ["an offset delta that lies", lies({ lastOffsetDelta: 2 ** 31 - 1 }), unfit],
    [
      "a time in 2100",
      lies({ maxTimestamp: 4_102_444_800_000n, baseTimestamp: 4_102_444_800_000n }),
      [code.invalidTimestamp],
    ],
    [
      "more than max.message.bytes",
      writeBatch([{ value: new Uint8Array(1_100_000) }], now()),
      [code.messageTooLarge],
    ],
  ];
  const before = await endOffset("target");
  for (const [what, batch, expected] of wrong) {
    const connection = await RawConnection.open(server.kafka);
    const answered = await produceRaw(connection, { topic: "target", batch });
    assert.ok(answered !== null && expected.includes(answered), `${what}: error ${answered}`);
    const right = await produceRaw(connection, { topic: "target", batch: good });
    assert.is(right, code.none, `after ${what}`);
    connection.close();
  }
  assert.is(await endOffset("target"), before + 2 * wrong.length);
  await finishBeside();
});

test("a right batch to the wrong place gets Kafka's error", async () => {
  const batch = writeBatch([{ value: bytes("a") }], now());
  const places: [string, number, number, number][] = [
    ["target", 99, -1, code.unknownTopicOrPartition],
    ["target", -1, -1, code.unknownTopicOrPartition],
    ["target", 0, 7, code.invalidRequiredAcks],
    ["absent", 0, -1, code.unknownTopicOrPartition],
  ];
  const connection = await RawConnection.open(server.kafka);
  for (const [topic, partition, acks, expected] of places) {
    const answered = await produceRaw(connection, { topic, partition, acks, batch });
    assert.is(answered, expected, `${topic}-${partition} acks ${acks}`);
  }
  for (const topic of ["no spaces", "..", "", "x".repeat(250), "sl/ash", "nul\0"]) {
    const answered = await produceRaw(connection, { topic, batch });
    const expected: (number | null)[] = [code.invalidTopic, code.unknownTopicOrPartition];
    assert.ok(expected.includes(answered), `${JSON.stringify(topic)}: ${answered}`);
  }
  connection.close();
  await finishBeside();
});

test("a compression bomb is refused where it must be opened, and passes by where it need not", async () => {
  const { codecs } = createPlatform();
  const record = bombRecord(200 * 2 ** 20);
  const bombs: [string, number, Uint8Array][] = [
    ["gzip", 1, gzipSync(record)],
    ["lz4", 3, codecs.lz4.compress(record.subarray(0, 150 * 2 ** 20))],
  ];
  const connection = await RawConnection.open(server.kafka);
  for (const [name, attributes, packed] of bombs) {
    const batch = writeRaw(packed, { ...now(), attributes, count: 1 });
    const refused = await produceRaw(connection, { topic: "rewriting", batch });
    const errors: (number | null)[] = [
      code.messageTooLarge,
      code.invalidRecord,
      code.corruptMessage,
    ];
    assert.ok(errors.includes(refused), `${name} (${batch.length} bytes): ${refused}`);
  }
  const [[, , gzip]] = bombs as [[string, number, Uint8Array]];
  const batch = writeRaw(gzip, { ...now(), attributes: 1, count: 1 });
  const offset = await endOffset("target");
  assert.is(await produceRaw(connection, { topic: "target", batch }), code.none);
  const url = `${server.http}/v1/topics/target/partitions/0/records?offset=${offset}`;
  const answer = await fetch(url);
  assert.ok(answer.status >= 400, `${answer.status}`);
  const { error } = (await answer.json()) as { error: { code: string; message: string } };
  assert.match(error.message, /\d/, "the limit is named");
  const raw = await request(`${url}&format=batches`);
  assert.is((await raw.arrayBuffer()).byteLength, batch.length);
  connection.close();
  await finishBeside();
});

test("broken HTTP gets an answer or a closed connection, and the door stays open", async () => {
  const { hostname: host, port } = new URL(server.http);
  const produce = "POST /v1/topics/target/records HTTP/1.1\r\nhost: a\r\n";
  const json = "content-type: application/json\r\n";
  const sent: [string, RegExp][] = [
    ["\0\x01\x02\r\n\r\n", /^(HTTP\/1\.1 400|$)/],
    ["GET / HTTP/9.9\r\n\r\n", /^(HTTP\/1\.1 (400|505)|$)/],
    [`${produce}${json}content-length: 5\r\nconnection: close\r\n\r\n{"val`, /^HTTP\/1\.1 400/],
    [`${produce}${json}content-length: -5\r\n\r\n`, /^(HTTP\/1\.1 400|$)/],
    [`${produce}${json}transfer-encoding: chunked\r\n\r\nZZ\r\n`, /^(HTTP\/1\.1 400|$)/],
    [`GET /${"x".repeat(100_000)} HTTP/1.1\r\n\r\n`, /^(HTTP\/1\.1 4|$)/],
  ];
  for (const [text, expected] of sent) {
    const connection = await RawConnection.open({ host, port: Number(port) });
    connection.send(Buffer.from(text, "latin1"));
    assert.match(await connection.rest(10_000), expected, JSON.stringify(text.slice(0, 60)));
  }
  const url = `${server.http}/v1/topics/target/records`;
  const headers = { "content-type": "application/json" };
  const bodies = [
    "[".repeat(1_000_000),
    '{"value":"\\ud800"}',
    "\xff\xfe",
    `{"value":${"9".repeat(5000)}`,
  ];
  for (const body of bodies) {
    const text = Buffer.from(body, body === "\xff\xfe" ? "latin1" : "utf8");
    const answer = await fetch(url, { method: "POST", headers, body: text });
    assert.is(answer.status, 400, body.slice(0, 20));
    await answer.text();
  }
  await finishBeside();
});

test("all of that took bounded memory", async () => {
  await finishBeside();
  const peak = peakMiB(server.process.pid);
  if (peak !== undefined) assert.ok(peak < memoryMiBMax, `${Math.round(peak)} MiB at most`);
});

/** The client beside worked on, quickly, and lost nothing. */
async function finishBeside(): Promise<void> {
  await beside.finish();
  const { slowestMs, slowestCpuMs } = beside;
  const took = `one record took ${Math.round(slowestMs)} ms, ${slowestCpuMs} ms of them work`;
  assert.ok(slowestMs < besideMsMax && slowestCpuMs < besideCpuMsMax, took);
}

async function endOffset(topic: string): Promise<number> {
  const url = `${server.http}/v1/topics/${topic}/offsets?at=latest`;
  const { offsets } = await requestJson<{ offsets: { offset: number }[] }>(url);
  return offsets[0]!.offset;
}

/** One record whose value is so many zeros. */
function bombRecord(valueBytes: number): Buffer {
  const head = Buffer.concat([Buffer.from([0, 0, 0, 1]), varint(valueBytes)]);
  const length = head.length + valueBytes + 1;
  return Buffer.concat([varint(length), head, Buffer.alloc(valueBytes + 1)]);
}

/** Zigzag, as record batches have it. */
function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value * 2;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return Buffer.from([...out, rest]);
}

function now(): WrittenHeader {
  const time = BigInt(Date.now());
  return { baseTimestamp: time, maxTimestamp: time };
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

/** The same bytes in every run. */
function randomBytes(seed: number): (count: number) => Buffer {
  let state = seed;
  return (count) => {
    const out = Buffer.alloc(count);
    for (let i = 0; i < count; i += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      out[i] = state >>> 24;
    }
    return out;
  };
}

async function inParallel(count: number, run: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: 16 }, work));
}

test.run();
