// Consumer instances of Confluent's REST API in a cluster: any broker serves any of them, also when one is cut off, and
// they share a group with others of their kind and with Kafka consumers. Three brokers in this process.
// Time limit: 60 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { request } from "../support/http-client.ts";
import { ClusterScene, eventually } from "./cluster-scene.ts";
import { produce, RestConsumer } from "./rest-consumer.ts";

const topic = "seats";
const settings = {
  "timberline.flush": "os",
  "offsets.topic.num.partitions": "6",
  "group.initial.rebalance.delay.ms": "0",
  "group.consumer.heartbeat.interval.ms": "500",
  "group.consumer.min.heartbeat.interval.ms": "500",
  "timberline.http.enable": "true",
  "timberline.http.port": "0",
};

async function withCluster(
  run: (scene: ClusterScene, doors: string[]) => Promise<void>,
): Promise<void> {
  const scene = new ClusterScene(settings, { members: true });
  try {
    await scene.start(1, 2, 3);
    const doors = [1, 2, 3].map((id) => {
      const { host, port } = scene.server(id).http!;
      return `http://${host}:${port}`;
    });
    const body = { name: topic, partitions: 6, replication_factor: 3 };
    await request(`${doors[0]}/v1/topics`, { body });
    await run(scene, doors);
  } finally {
    await scene.close();
  }
}

test("requests go to every broker in turn: records come once, and go on when a broker is cut off", () =>
  withCluster(async (scene, doors) => {
    const values = Array.from({ length: 90 }, (_, i) => i);
    await produce(doors[0]!, topic, values);
    const consumer = await RestConsumer.create(doors, { group: "g", name: "one" });
    await consumer.subscribe(topic);
    const seen: unknown[] = [];
    const read = async () => {
      seen.push(...(await consumer.read(500, 40)).map(({ value }) => value));
      await consumer.commit();
      const committed = await consumer.committed();
      return committed.reduce((sum, { offset }) => sum + offset, 0);
    };
    for (let reads = 0; reads < 4; reads++) assert.is(await read(), seen.length);
    assert.is(new Set(seen).size, seen.length);
    scene.cut(3);
    consumer.doors = doors.slice(0, 2);
    for (let reads = 0; seen.length < values.length && reads < 100; reads++) await read();
    assert.equal(seen.sort(byNumber), values);
    const fresh = await RestConsumer.create(consumer.doors, { group: "g", name: "two" });
    await consumer.close();
    await consumer.call("/records", { status: 404 });
    await fresh.subscribe(topic);
    assert.equal(await fresh.read(100), []);
  }));

test("two instances and a Kafka consumer share a group, and take over what is given up", () =>
  withCluster(async (scene, doors) => {
    const [a, b] = await Promise.all(
      ["a", "b"].map((name) => RestConsumer.create(doors, { group: "g", name })),
    );
    await a!.subscribe(topic);
    assert.is((await a!.assigned()).length, 6);
    await b!.subscribe(topic);
    await eventually("the instances share", async () => {
      await Promise.all([a!.read(100), b!.read(100)]);
      const shares = [await a!.assigned(), await b!.assigned()];
      return shares.every(({ length }) => length === 3) && new Set(shares.flat()).size === 6;
    });
    const kafka = scene.client.groupConsumer({
      groupId: "g",
      topics: [topic],
      offsetReset: "earliest",
      heartbeatIntervalMs: 500,
    });
    const seen = new Set<string>();
    const reading = (async () => {
      for await (const { value } of kafka) seen.add(new TextDecoder().decode(value!));
    })();
    // Nobody reads by HTTP meanwhile: a broker speaks for the instances.
    await eventually("the Kafka consumer has its share", async () => {
      const shares = [await a!.assigned(), await b!.assigned()];
      return shares.every(({ length }) => length === 2);
    });
    await Promise.all([a!.close(), b!.close()]);
    const values = Array.from({ length: 30 }, (_, i) => i);
    await produce(doors[1]!, topic, values);
    await eventually("all comes to the one that is left", async () => seen.size === values.length);
    await kafka.stop();
    await reading;
  }));

function byNumber(a: unknown, b: unknown): number {
  return Number(a) - Number(b);
}

test.run();
