// Answers of Confluent's REST API that do not arrive: their records come again, through the same door or another one.
// One broker in this process, two HTTP doors over it that stand for two nodes.

import type { Hono } from "hono";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createHttpApp } from "../../runtime/http/app.ts";
import { defaultHttpLimits } from "../../runtime/http/limits.ts";
import type { RoutableBroker } from "../../runtime/routable-broker.ts";
import { platform } from "../support/log-fixture.ts";
import { ClusterScene } from "./cluster-scene.ts";
import { type RestRecord, restJsonType, restType } from "./rest-consumer.ts";

const settings = { "timberline.flush": "os", "group.initial.rebalance.delay.ms": "0" };
const instance = "/consumers/g/instances/i";

interface Doors {
  readonly a: Hono;
  readonly b: Hono;
  readonly broker: RoutableBroker;
}

async function withDoors(run: (doors: Doors) => Promise<void>): Promise<void> {
  const scene = new ClusterScene(settings);
  const closing = new AbortController();
  try {
    await scene.start(1);
    const { broker } = scene.server(1);
    const door = () =>
      createHttpApp({
        platform,
        broker,
        config: { corsOrigins: [], limits: defaultHttpLimits, version: "test" },
        readiness: () => [],
        report: (error) => {
          throw error;
        },
        closing: closing.signal,
      });
    const doors = { a: door(), b: door(), broker };
    await post(doors.a, "/topics/t", { records: [1, 2, 3].map((value) => ({ value })) });
    const config = { name: "i", format: "json", "auto.offset.reset": "earliest" };
    await post(doors.a, "/consumers/g", { ...config, "auto.commit.enable": "false" });
    await post(doors.a, `${instance}/subscription`, { topics: ["t"] });
    await run(doors);
  } finally {
    closing.abort();
    await scene.close();
  }
}

async function post(door: Hono, path: string, body?: unknown): Promise<Response> {
  const type = path.startsWith("/topics") ? restJsonType : restType;
  const text = body === undefined ? null : JSON.stringify(body);
  const headers = { "content-type": type };
  const answer = await door.request(path, { method: "POST", headers, body: text });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer;
}

async function open(door: Hono): Promise<Response> {
  const answer = await door.request(`${instance}/records?timeout=300`);
  assert.is(answer.status, 200);
  return answer;
}

async function read(door: Hono): Promise<unknown[]> {
  const records = (await (await open(door)).json()) as RestRecord[];
  return records.map(({ value }) => value);
}

async function committed(door: Hono): Promise<unknown> {
  const answer = await door.request(`${instance}/offsets`);
  return ((await answer.json()) as { offsets: unknown }).offsets;
}

test("an answer that was read to its end is not given again, whichever door is asked", () =>
  withDoors(async ({ a, b }) => {
    assert.equal(await read(a), [1, 2, 3]);
    assert.equal(await read(b), []);
    await post(b, "/topics/t", { records: [{ value: 4 }] });
    assert.equal(await read(b), [4]);
    assert.equal(await read(a), []);
  }));

test("an answer whose client went away is given again", () =>
  withDoors(async ({ a, b }) => {
    await (await open(a)).body!.cancel();
    assert.equal(await read(b), [1, 2, 3]);
    const head = await a.request(`${instance}/records?timeout=300`, { method: "HEAD" });
    assert.is(head.status, 200);
    assert.equal(await read(a), []);
  }));

test("an answer whose node fell silent before it was out is given again by another", () =>
  withDoors(async ({ a, b }) => {
    // Never read: as a node that died with the answer in its hands.
    await open(a);
    await post(b, `${instance}/offsets`);
    assert.equal(await committed(b), [{ topic: "t", partition: 0, offset: 0, metadata: "" }]);
    assert.equal(await read(b), [1, 2, 3]);
    await post(b, `${instance}/offsets`);
    assert.equal(await committed(a), [{ topic: "t", partition: 0, offset: 3, metadata: "" }]);
  }));

test("two reads of one instance at a time share its records", () =>
  withDoors(async ({ a, b }) => {
    const both = await Promise.all([read(a), read(b)]);
    assert.equal(both.flat().sort(), [1, 2, 3]);
  }));

test("a committed offset is the one after the record that was named, and only of what is held", () =>
  withDoors(async ({ a, b }) => {
    const offsets = [{ topic: "t", partition: 0, offset: 1, metadata: "m" }];
    await post(a, `${instance}/offsets`, { offsets });
    assert.equal(await committed(b), [{ topic: "t", partition: 0, offset: 2, metadata: "m" }]);
    const headers = { "content-type": restType };
    const other = { offsets: [{ topic: "t", partition: 7, offset: 1 }] };
    const body = JSON.stringify(other);
    const answer = await b.request(`${instance}/offsets`, { method: "POST", headers, body });
    assert.is(answer.status, 409);
    assert.is(((await answer.json()) as { error_code: number }).error_code, 40903);
  }));

test("positions move, to an offset and to both ends, also while an answer is out", () =>
  withDoors(async ({ a, b }) => {
    await open(a);
    await post(b, `${instance}/positions`, { offsets: [{ topic: "t", partition: 0, offset: 2 }] });
    assert.equal(await read(a), [3]);
    const partitions = [{ topic: "t", partition: 0 }];
    await post(a, `${instance}/positions/beginning`, { partitions });
    assert.equal(await read(b), [1, 2, 3]);
    await post(b, `${instance}/positions/beginning`, { partitions });
    await post(b, `${instance}/positions/end`, { partitions });
    assert.equal(await read(a), []);
  }));

test("a group that may not use the consumer protocol has no instances; partitions can be assigned", () =>
  withDoors(async ({ a, broker }) => {
    const operation = { name: "timberline.feature.group.version", op: "set", value: "0" } as const;
    const all = { kind: "broker", broker: null } as const;
    await broker.alterConfigs(all, [operation], { validateOnly: false });
    await post(a, "/consumers/g", { name: "j" });
    const other = "/consumers/g/instances/j";
    const headers = { "content-type": restType };
    const body = JSON.stringify({ topics: ["t"] });
    const refused = await a.request(`${other}/subscription`, { method: "POST", headers, body });
    assert.is(refused.status, 409);
    assert.match(await refused.text(), "group.version is 0");
    await post(a, `${other}/assignments`, { partitions: [{ topic: "t", partition: 0 }] });
  }));

test.run();
