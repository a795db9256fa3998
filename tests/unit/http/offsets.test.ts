// Offsets by name and time, deleting records, the cluster.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { get, openDoor, post } from "./door.ts";

test("offsetRoutes() give offsets at names and times for every partition", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", partitions: 2 });
  const at = (partition: number, timestamp: number) => ({ value: "v", partition, timestamp });
  for (const record of [at(0, 1000), at(0, 2000), at(1, 3000)]) {
    await post(door, "/v1/topics/t/records", record);
  }
  const offsets = async (query: string) => {
    const { body } = await get(door, `/v1/topics/t/offsets${query}`);
    return (body.offsets as unknown as { offset: number; timestamp: number | null }[]).map(
      ({ offset, timestamp }) => [offset, timestamp],
    );
  };
  assert.equal(await offsets(""), [
    [2, null],
    [1, null],
  ]);
  assert.equal(await offsets("?at=earliest"), [
    [0, null],
    [0, null],
  ]);
  assert.equal(await offsets("?at=max-timestamp"), [
    [1, 2000],
    [0, 3000],
  ]);
  assert.equal(await offsets("?at=1500"), [
    [1, 2000],
    [0, 3000],
  ]);
  assert.equal(await offsets("?at=1970-01-01T00:00:02.5"), [
    [-1, null],
    [0, 3000],
  ]);
  assert.is((await get(door, "/v1/topics/t/offsets?at=noon")).status, 400);
  assert.is((await get(door, "/v1/topics/absent/offsets")).status, 404);
});

test("offsetRoutes() delete records before an offset", async () => {
  const door = openDoor();
  const path = "/v1/topics/t/partitions/0/delete-records";
  for (const value of ["a", "b", "c"]) await post(door, "/v1/topics/t/records", { value });
  assert.equal((await post(door, path, { offset: 2 })).body, { partition: 0, start_offset: 2 });
  const early = await get(door, "/v1/topics/t/partitions/0/records?offset=0");
  assert.is(early.body.error?.code, "OFFSET_OUT_OF_RANGE");
  assert.is((await post(door, path, { offset: 9 })).status, 416);
  assert.equal((await post(door, path, { offset: "latest" })).body.start_offset, 3);
  assert.is((await post(door, path, { offset: "soon" })).status, 400);
  assert.is(
    (await post(door, "/v1/topics/t/partitions/5/delete-records", { offset: 0 })).status,
    404,
  );
});

test("offsetRoutes() describe the cluster", async () => {
  const door = openDoor();
  await post(door, "/v1/topics", { name: "t", partitions: 3 });
  const { body } = await get(door, "/v1/cluster");
  assert.equal(body, {
    cluster_id: "fake",
    controller_id: 1,
    broker_id: 1,
    brokers: [
      {
        id: 1,
        host: "127.0.0.1",
        port: 9092,
        rack: null,
        fenced: false,
        draining: false,
        leads: 3,
        replicas: 3,
      },
    ],
    topics: 1,
    partitions: 3,
    under_replicated: 0,
    offline: 0,
  });
});

test.run();
