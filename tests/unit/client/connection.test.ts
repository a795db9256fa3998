// Connections, frames, addresses and metadata against a fake cluster: versions agreed, answers matched, silence
// and nonsense ended, brokers found.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerConnection } from "../../../runtime/client/broker-connection.ts";
import { ConnectionPool } from "../../../runtime/client/connection-pool.ts";
import { Context, parseAddress } from "../../../runtime/client/context.ts";
import { FrameCutter, frameBytesMax, reusedFrameMemory } from "../../../runtime/client/frames.ts";
import { Metadata } from "../../../runtime/client/metadata.ts";
import { apiVersions } from "../../../runtime/kafka/apis/api-versions.ts";
import { fetch } from "../../../runtime/kafka/apis/fetch.ts";
import { metadata } from "../../../runtime/kafka/apis/metadata.ts";
import { produce } from "../../../runtime/kafka/apis/produce.ts";
import { FakeCluster } from "./fake-cluster.ts";

const bootstrap = ["bootstrap:1"];
const address = { host: "broker-1", port: 1 };
const all = { topics: null, allowAutoTopicCreation: false };

function open(cluster: FakeCluster, closed: () => void = () => {}) {
  const context = new Context({ platform: cluster.platform(), bootstrap });
  return BrokerConnection.open(context, address, closed);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "resolved",
    (error: { code: string }) => error.code,
  );
}

test("open() steps down to the versions an older broker names", async () => {
  const cluster = new FakeCluster();
  cluster.versionMax.set("ApiVersions", 2);
  cluster.versionMax.set("Metadata", 7);
  const connection = await open(cluster);
  assert.equal(
    cluster.asked("ApiVersions").map(({ version }) => version),
    [apiVersions.versions.max, 2],
  );
  assert.is(connection.version(metadata), 7);
  assert.is(connection.version(fetch), fetch.versions.max);
  assert.is(connection.version(fetch, 12), 12);
  await connection.call(metadata, all);
  assert.is(cluster.asked("Metadata")[0]!.version, 7);
});

test("version() refuses what the broker speaks too old or not at all", async () => {
  const cluster = new FakeCluster();
  cluster.versionMax.set("Produce", 2);
  const connection = await open(cluster);
  const isUnsupported = (error: Error) => "code" in error && error.code === "UNSUPPORTED_VERSION";
  assert.throws(() => connection.version(produce), isUnsupported);
  assert.throws(() => connection.version({ ...produce, key: 999, name: "Other" }), isUnsupported);
  assert.is(
    await codeOf(connection.call(produce, { acks: 1, timeoutMs: 1, topicData: [] })),
    "UNSUPPORTED_VERSION",
  );
});

test("call() pipelines, and each answer finds its question", async () => {
  const cluster = new FakeCluster();
  for (let i = 0; i < 5; i++) cluster.addTopic(`t${i}`, [1]);
  const connection = await open(cluster);
  const answers = await Promise.all(
    [0, 1, 2, 3, 4].map((i) =>
      connection.call(metadata, { topics: [{ name: `t${i}` }], allowAutoTopicCreation: false }),
    ),
  );
  assert.equal(
    answers.map(({ topics }) => topics[0]!.name),
    ["t0", "t1", "t2", "t3", "t4"],
  );
  assert.is(connection.pendingCount, 0);
});

test("call() without an answer ends the connection after the request's time", async () => {
  const cluster = new FakeCluster();
  cluster.fault = ({ api }) => (api === "Metadata" ? "lose" : undefined);
  let closed = 0;
  const connection = await open(cluster, () => closed++);
  assert.is(await codeOf(connection.call(metadata, all)), "REQUEST_TIMED_OUT");
  assert.is(cluster.clock.monotonicMs(), 30_000);
  assert.not(connection.isOpen);
  assert.is(closed, 1);
  assert.is(await codeOf(connection.call(metadata, all)), "REQUEST_TIMED_OUT");
});

test("call() rejects with NETWORK_EXCEPTION when the line is cut", async () => {
  const cluster = new FakeCluster();
  cluster.fault = ({ api }) => (api === "Metadata" ? "cut before" : undefined);
  const connection = await open(cluster);
  assert.is(await codeOf(connection.call(metadata, all)), "NETWORK_EXCEPTION");
});

test("FrameCutter gives whole frames however the bytes are cut", () => {
  const bytes: number[] = [];
  for (const size of [4, 5, 300])
    bytes.push(0, 0, size >> 8, size & 255, ...Array(size).fill(size & 255));
  for (const step of [1, 2, 3, 7, 1000]) {
    const sizes: number[] = [];
    const cutter = new FrameCutter((frame) => {
      assert.ok(frame.every((byte) => byte === (frame.length & 255)));
      sizes.push(frame.length);
    });
    for (let at = 0; at < bytes.length; at += step) {
      cutter.push(Uint8Array.from(bytes.slice(at, at + step)));
    }
    assert.equal(sizes, [4, 5, 300]);
  }
});

test("reusedFrameMemory() is the same for one frame after the other, whole, but for rare large ones", () => {
  const frames: Uint8Array[] = [];
  const cutter = new FrameCutter((frame) => frames.push(frame), reusedFrameMemory());
  const push = (size: number, fill: number) => {
    const bytes = new Uint8Array(4 + size).fill(fill);
    new DataView(bytes.buffer).setInt32(0, size);
    cutter.push(bytes.subarray(0, 7));
    cutter.push(bytes.subarray(7));
    const frame = frames.at(-1)!;
    assert.is(frame.length, size);
    assert.ok(frame.every((byte) => byte === fill));
    return frame;
  };
  const first = push(1_000, 1);
  assert.is(push(500, 2).buffer, first.buffer);
  assert.is(push(2_000, 3).buffer, first.buffer);
  assert.is.not(push(5_000_000, 4).buffer, first.buffer);
  assert.is(push(10, 5).buffer, first.buffer);
});

test("FrameCutter names the rest of a large frame, and takes what is read there as it is", () => {
  const frames: Uint8Array[] = [];
  const cutter = new FrameCutter((frame) => frames.push(frame));
  const bytes = Uint8Array.from({ length: 40_004 }, (_, i) => i * 7);
  new DataView(bytes.buffer).setInt32(0, 40_000);
  assert.is(cutter.space(), undefined);
  cutter.push(bytes.subarray(0, 104));
  const space = cutter.space()!;
  assert.is(space.length, 39_900);
  space.set(bytes.subarray(104, 20_104));
  cutter.push(space.subarray(0, 20_000));
  assert.is(cutter.space()!.length, 19_900);
  cutter.push(bytes.subarray(20_104, 30_000));
  assert.is(cutter.space(), undefined, "a small rest is copied");
  cutter.push(bytes.subarray(30_000));
  assert.is(frames.length, 1);
  assert.is(frames[0]!.buffer, space.buffer);
  assert.equal(frames[0], bytes.slice(4));
});

test("FrameCutter refuses sizes that no answer has", () => {
  const cutter = () => new FrameCutter(() => {});
  for (const size of [-1, 0, 3, frameBytesMax + 1]) {
    const prefix = new Uint8Array(4);
    new DataView(prefix.buffer).setInt32(0, size);
    assert.throws(() => cutter().push(prefix), /a frame of/);
  }
});

test("ConnectionPool opens one connection for all who ask, and waits longer after each failure", async () => {
  const cluster = new FakeCluster();
  const pool = new ConnectionPool(new Context({ platform: cluster.platform(), bootstrap }));
  const [a, b] = await Promise.all([pool.to(address), pool.to(address)]);
  assert.is(a, b);
  assert.is(cluster.dials.length, 1);
  cluster.down.add(1);
  cluster.cut(1);
  await new Promise((resolve) => setImmediate(resolve));
  const times: number[] = [];
  for (let i = 0; i < 6; i++) {
    assert.is(await codeOf(pool.to(address)), "NETWORK_EXCEPTION");
    times.push(cluster.clock.monotonicMs());
  }
  const waits = times.slice(1).map((atMs, i) => atMs - times[i]!);
  assert.ok(waits[0]! >= 80 && waits[0]! <= 120, `${waits}`);
  assert.ok(waits[4]! >= 800 && waits[4]! <= 1_200, `${waits}`);
  cluster.down.clear();
  assert.ok((await pool.to(address)).isOpen);
  pool.close();
  assert.is(await codeOf(pool.to(address)), "CLOSED");
});

test("Metadata asks once for what is wanted in one turn, and remembers", async () => {
  const cluster = new FakeCluster();
  const names = ["a", "b", "c"];
  for (const name of names) cluster.addTopic(name, [1]);
  const context = new Context({ platform: cluster.platform(), bootstrap });
  const known = new Metadata(context, new ConnectionPool(context));
  await Promise.all([...names, ...names].map((name) => known.load(name, { create: false })));
  assert.is(cluster.asked("Metadata").length, 1);
  await known.load("a", { create: false });
  assert.is(cluster.asked("Metadata").length, 1);
  assert.equal(known.leaderOf("a", 0), { id: 1, host: "broker-1", port: 1, rack: null });
  known.invalidate("a");
  assert.is(known.cached("a"), undefined);
  await known.load("a", { create: false });
  assert.is(cluster.asked("Metadata").length, 2);
});

test("Metadata goes to the next broker when one is down, known ones and bootstrap", async () => {
  const cluster = new FakeCluster([1, 2, 3]);
  cluster.addTopic("t", [2]);
  const addresses = ["broker-1:1", "broker-2:2", "broker-3:3"];
  const context = new Context({ platform: cluster.platform(), bootstrap: addresses });
  const known = new Metadata(context, new ConnectionPool(context));
  cluster.down.add(1);
  await known.load("t", { create: false });
  for (const broker of [2, 3]) {
    cluster.down.clear();
    cluster.down.add(1).add(broker);
    cluster.cut(broker);
    known.invalidate("t");
    assert.is((await known.load("t", { create: false })).partitions.length, 1);
  }
});

test("Metadata tells soon that a topic is missing", async () => {
  const cluster = new FakeCluster();
  const context = new Context({ platform: cluster.platform(), bootstrap });
  const known = new Metadata(context, new ConnectionPool(context));
  assert.is(await codeOf(known.load("none", { create: false })), "UNKNOWN_TOPIC_OR_PARTITION");
  assert.ok(cluster.clock.monotonicMs() < 3_000);
});

test("parseAddress() reads names, IPv4 and IPv6, with 9092 as the port", () => {
  assert.equal(parseAddress("localhost"), { host: "localhost", port: 9092 });
  assert.equal(parseAddress("127.0.0.1:19092"), { host: "127.0.0.1", port: 19092 });
  assert.equal(parseAddress("[::1]:9093"), { host: "::1", port: 9093 });
  for (const bad of ["", ":9092", "host:0", "host:99999", "host:x", "a:b:1"]) {
    assert.throws(() => parseAddress(bad), /no broker address/);
  }
  const platform = new FakeCluster().platform();
  assert.throws(() => new Context({ platform, bootstrap: [] }), /bootstrap is empty/);
});

test.run();
