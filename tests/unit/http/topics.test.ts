// Topics and their configs through the HTTP door.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { call, get, openDoor, post } from "./door.ts";

test("topicRoutes() create, describe and delete a topic", async () => {
  const door = openDoor();
  const created = await post(door, "/v1/topics", {
    name: "orders",
    partitions: 2,
    configs: { "retention.ms": -1, "cleanup.policy": "delete" },
  });
  assert.is(created.status, 201);
  assert.is(created.headers.get("location"), "/v1/topics/orders");
  await post(door, "/v1/topics/orders/records", { value: "v", partition: 1 });
  const { body } = await get(door, "/v1/topics/orders");
  const { size_bytes, ...partition } = body.partitions![1]!;
  assert.ok((size_bytes as unknown as number) > 60);
  assert.equal(partition, {
    partition: 1,
    leader: 1,
    leader_epoch: 0,
    replicas: [1],
    isr: [1],
    elr: [],
    adding: [],
    removing: [],
    start_offset: 0,
    high_watermark: 1,
    end_offset: 1,
    segments: 1,
  });
  assert.equal(body.configs, { "retention.ms": "-1", "cleanup.policy": "delete" });
  const deleted = await call(door, "DELETE", "/v1/topics/orders");
  assert.is(deleted.status, 204);
  assert.is((await get(door, "/v1/topics/orders")).status, 404);
  assert.is((await call(door, "DELETE", "/v1/topics/orders")).status, 404);
});

test("topicRoutes() only try with validate_only", async () => {
  const door = openDoor();
  const tried = await post(door, "/v1/topics", { name: "t", validate_only: true });
  assert.is(tried.status, 200);
  assert.is((await get(door, "/v1/topics/t")).status, 404);
  await post(door, "/v1/topics", { name: "t" });
  const change = { validate_only: true, configs: { "retention.ms": 5 } };
  await call(door, "PATCH", "/v1/topics/t", change);
  assert.equal((await get(door, "/v1/topics/t")).body.configs, {});
});

test("topicRoutes() list by name, filtered, page by page, internal ones on demand", async () => {
  const door = openDoor();
  for (const name of ["b", "a-1", "a-2", "__internal"]) await post(door, "/v1/topics", { name });
  const names = async (query: string) => {
    const { body } = await get(door, `/v1/topics${query}`);
    const topics = body.topics as unknown as { name: string }[];
    return [topics.map(({ name }) => name), body.next];
  };
  assert.equal(await names(""), [["a-1", "a-2", "b"], null]);
  assert.equal(await names("?internal=true"), [["__internal", "a-1", "a-2", "b"], null]);
  assert.equal(await names("?filter=a-"), [["a-1", "a-2"], null]);
  assert.equal(await names("?filter=a*2"), [["a-2"], null]);
  assert.equal(await names("?limit=2"), [["a-1", "a-2"], "a-2"]);
  assert.equal(await names("?limit=2&after=a-2"), [["b"], null]);
  assert.is((await get(door, "/v1/topics?limit=0")).status, 400);
});

test("topicRoutes() alter configs and partitions, or nothing at all", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", configs: { "retention.ms": 1, "segment.ms": 2 } });
  const change = { partitions: 3, configs: { "retention.ms": null, "flush.ms": 7 } };
  const { body } = await call(door, "PATCH", "/v1/topics/t", change);
  assert.equal(body.configs, { "segment.ms": "2", "flush.ms": "7" });
  assert.is((body.partitions as unknown as unknown[]).length, 3);
  const wrong = await call(door, "PATCH", "/v1/topics/t", { partitions: 4, configs: { nokey: 1 } });
  assert.is(wrong.body.error?.code, "INVALID_CONFIG");
  const shrunk = await call(door, "PATCH", "/v1/topics/t", { partitions: 1 });
  assert.is(shrunk.body.error?.code, "INVALID_PARTITIONS");
  assert.is(((await get(door, "/v1/topics/t")).body.partitions as unknown as unknown[]).length, 3);
});

test("topicRoutes() describe configs, all or by name", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t" });
  const { body } = await get(door, "/v1/topics/t/configs?name=max.message.bytes&name=other");
  assert.is((body.configs as unknown as unknown[]).length, 1);
  assert.is(body.configs?.[0]?.value, "1048588");
  assert.is(body.configs?.[0]?.source, "DEFAULT_CONFIG");
  const none = await get(door, "/v1/topics/t/configs?name=other");
  assert.equal(none.body.configs, []);
});

test("topicRoutes() tell of one partition's error beside the others", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", partitions: 2 });
  const { describePartitions } = door.broker;
  door.broker.describePartitions = (places) =>
    describePartitions
      .call(door.broker, places)
      .map((view, i) => (i === 1 ? new BrokerError("KAFKA_STORAGE_ERROR", "offline") : view));
  const { status, body } = await get(door, "/v1/topics/t");
  assert.is(status, 200);
  assert.is(body.partitions?.[0]?.end_offset, 0);
  assert.is(body.partitions?.[1]?.error?.code, "KAFKA_STORAGE_ERROR");
});

test("topicRoutes() refuse bodies that do not fit, naming each fault", async () => {
  const door = openDoor();
  const cases: [unknown, RegExp][] = [
    [{}, /name/],
    [{ name: 7 }, /name/],
    [{ name: "t", partition: 3 }, /partition/],
    [{ name: "t", partitions: 1.5 }, /partitions: must be a whole number/],
    [{ name: "t", configs: { a: {} } }, /configs\.a/],
  ];
  for (const [body, message] of cases) {
    const answer = await post(door, "/v1/topics", body);
    assert.is(answer.status, 400, String(message));
    assert.is(answer.body.error?.code, "INVALID_REQUEST");
    assert.match(answer.body.error?.message as unknown as string, message);
    assert.ok(answer.body.error?.issues);
  }
  assert.is((await post(door, "/v1/topics", "{")).status, 400);
  assert.is(
    (await post(door, "/v1/topics", { name: "a b" })).body.error?.code,
    "INVALID_TOPIC_EXCEPTION",
  );
  await post(door, "/v1/topics", { name: "t" });
  assert.is((await post(door, "/v1/topics", { name: "t" })).status, 409);
});

test.run();
