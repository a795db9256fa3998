// What Confluent's REST API says to requests that are wrong: proper status, its own error shape, nothing stored.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { confluentDoor } from "../../../../runtime/http/confluent/routes.ts";
import type { Door } from "../../../../runtime/http/route.ts";
import { call, openDoor, platform, type TestDoor } from "../door.ts";

const jsonType = { "content-type": "application/vnd.kafka.json.v2+json" };
const binaryType = { "content-type": "application/vnd.kafka.binary.v2+json" };
const v3 = "/v3/clusters/fake";

async function doorWithTopic(): Promise<TestDoor> {
  const door = openDoor();
  const configs = new Map<string, string>();
  await door.broker.createTopic({ name: "t", partitions: 2, replicationFactor: 1, configs });
  return door;
}

interface Case {
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly status: number;
  readonly code: number;
  readonly message?: RegExp;
}

async function check(door: TestDoor, wrong: Case): Promise<void> {
  const { path, body, headers, status, code, message } = wrong;
  const method = wrong.method ?? (body === undefined ? "GET" : "POST");
  const answer = await call(door, method, path, body, headers);
  const what = `${method} ${path} ${JSON.stringify(body)}: ${answer.text}`;
  assert.is(answer.status, status, what);
  assert.equal(Object.keys(answer.body), ["error_code", "message"], what);
  assert.is(Number(answer.body.error_code), code, what);
  if (message !== undefined) assert.match(answer.text, message);
}

const record = { records: [{ value: 1 }] };

test("produce, v2: what is wrong in a body is told before anything is stored", async () => {
  const door = await doorWithTopic();
  const produce = (body: unknown, status: number, message: RegExp, headers = jsonType) =>
    check(door, { path: "/topics/t", body, headers, status, code: status, message });
  const text = { "content-type": "text/plain" };
  await produce(record, 415, /application\/vnd.kafka.json.v2\+json/, text);
  const avro = { "content-type": "application/vnd.kafka.avro.v2+json" };
  await produce(record, 415, /schema registry/, avro);
  await produce("{", 400, /malformed JSON/);
  await produce("[]", 422, /JSON object/);
  await produce({}, 422, /records/);
  await produce({ records: [] }, 422, /empty/);
  await produce({ records: [1] }, 422, /records\[0\]/);
  await produce({ records: [{ value: 1 }, { valeu: 1 }] }, 422, /records\[1\].*valeu/);
  await produce({ records: [{ value: 1, partition: "x" }] }, 422, /partition/);
  await produce({ records: [{ value: "a" }] }, 422, /base64/, binaryType);
  await produce({ records: [{ value: 1 }] }, 422, /string/, binaryType);
  assert.is(door.broker.appends.length, 0);
});

test("produce, v2: topics and partitions that are not there", async () => {
  const door = await doorWithTopic();
  door.broker.autoCreate = false;
  const body = record;
  const headers = jsonType;
  await check(door, { path: "/topics/no", body, headers, status: 404, code: 40401 });
  await check(door, { path: "/topics/t/partitions/2", body, headers, status: 404, code: 40402 });
  await check(door, { path: "/topics/t/partitions/x", body, headers, status: 404, code: 40402 });
});

test("metadata, v2 and v3: what is not there", async () => {
  const door = await doorWithTopic();
  const missing = (path: string, code: number) => check(door, { path, status: 404, code });
  await missing("/topics/no", 40401);
  await missing("/topics/no/partitions", 40401);
  await missing("/topics/t/partitions/2", 40402);
  await missing("/topics/t/partitions/-1/offsets", 40402);
  await missing("/v3/clusters/other", 404);
  await missing(`${v3}/brokers/9`, 404);
  await missing(`${v3}/brokers/x/configs`, 404);
  await missing(`${v3}/topics/no`, 40403);
  await missing(`${v3}/topics/t/partitions/9`, 40403);
  await missing(`${v3}/topics/t/partitions/0/replicas/9`, 404);
  await missing(`${v3}/topics/t/partitions/0/reassignment`, 404);
  await missing(`${v3}/topics/t/configs/no`, 404);
});

test("topics and configs, v3: bodies that are wrong", async () => {
  const door = await doorWithTopic();
  const topics = `${v3}/topics`;
  const wrong = (path: string, body: unknown, status: number, code = status) =>
    check(door, { path, body, status, code });
  await wrong(topics, {}, 422);
  await wrong(topics, { topic_name: 1 }, 422);
  await wrong(topics, { topic_name: "a", partitions: 2 }, 422);
  await wrong(topics, { topic_name: "a", partitions_count: 0 }, 422);
  await wrong(topics, { topic_name: "a", configs: [{ value: "x" }] }, 422);
  const twice = [0, 0].map((partition_id) => ({ partition_id, broker_ids: [1] }));
  await wrong(topics, { topic_name: "a", replicas_assignments: twice }, 422);
  await wrong(topics, { topic_name: "a/b" }, 400, 40002);
  await wrong(topics, { topic_name: "t" }, 400, 40002);
  const alter = `${topics}/t/configs:alter`;
  await wrong(alter, {}, 422);
  await wrong(alter, { data: [{ name: "x.y", operation: "APPEND" }] }, 422);
  await wrong(alter, { data: [{ name: "nokey", value: "1" }] }, 400, 40002);
  const config = `${topics}/t/configs/max.message.bytes`;
  await check(door, { path: config, method: "PUT", body: { val: 1 }, status: 422, code: 422 });
  await check(door, { path: `${topics}/t`, method: "PATCH", body: {}, status: 422, code: 422 });
});

test("records, v3: a wrong one is answered and the others are stored, in their order", async () => {
  const door = await doorWithTopic();
  const value = { type: "STRING", data: "x" };
  const wrong = [
    { value: { type: "AVRO", data: 1 } },
    { value: { data: 1 } },
    { value: { type: "BINARY", data: "#" } },
    { value, headers: [{ value: "eA==" }] },
    { value, timestamp: "soon" },
    { value, partition_id: -1 },
    { valeu: value },
  ];
  const all = wrong.flatMap((each) => [each, { value }]);
  const body = all.map((each) => JSON.stringify(each)).join("");
  const headers = { "content-type": "application/json" };
  const { status, text } = await call(door, "POST", `${v3}/topics/t/records`, body, headers);
  assert.is(status, 200);
  const codes = text.split("\r\n").map((line) => (line ? JSON.parse(line).error_code : null));
  assert.equal(codes, [...wrong.flatMap(() => [422, 200]), null]);
});

test("consumer instances: configurations that cannot be", async () => {
  const door = await doorWithTopic();
  const wrong = (body: unknown, status: number, code = status) =>
    check(door, { path: "/consumers/g", body, status, code });
  await wrong({ format: "avro" }, 422);
  await wrong({ format: "xml" }, 422);
  await wrong({ "auto.offset.reset": "middle" }, 422, 42204);
  await wrong({ "auto.commit.enable": "perhaps" }, 422);
  await wrong({ "fetch.min.bytes": "many" }, 422);
  await wrong({ name: "" }, 422);
  await wrong({ name: "x".repeat(250) }, 422);
  await wrong({ nmae: "x" }, 422);
  const form = { "content-type": "application/x-www-form-urlencoded" };
  await check(door, { path: "/consumers/g", body: "{}", headers: form, status: 415, code: 415 });
});

test("every route of an instance says when there is none", async () => {
  const door = await doorWithTopic();
  const all = confluentDoor({ ...door, platform } as unknown as Door).routes();
  const routes = all.filter(({ path }) => path.includes(":instance"));
  const bodies: Record<string, unknown> = {
    subscription: { topics: ["t"] },
    assignments: { partitions: [{ topic: "t", partition: 0 }] },
    positions: { offsets: [] },
    beginning: { partitions: [] },
    end: { partitions: [] },
  };
  for (const { method, path: pattern } of routes) {
    const path = pattern.replace(":group", "g").replace(":instance", "i");
    const body = method === "POST" ? (bodies[path.split("/").at(-1)!] ?? {}) : undefined;
    const given = body === undefined ? {} : { body };
    if (path.endsWith("/offsets") && method === "POST") given.body = { offsets: [] };
    await check(door, { path, method, ...given, status: 404, code: 40403 });
  }
  assert.is(routes.length, 12);
});

test("wrong paths and methods, and pages of strangers, are told in the same shape", async () => {
  const door = await doorWithTopic();
  await check(door, { path: "/v3/no", status: 404, code: 404 });
  await check(door, { path: "/consumers/g/no", status: 404, code: 404 });
  await check(door, { path: "/brokers", method: "POST", status: 405, code: 405, message: /GET/ });
  await check(door, { path: `${v3}/topics/t`, method: "PUT", status: 405, code: 405 });
  const headers = { origin: "http://elsewhere", ...jsonType };
  await check(door, { path: "/topics/t", body: record, headers, status: 403, code: 403 });
  assert.is(door.broker.appends.length, 0);
});

test.run();
