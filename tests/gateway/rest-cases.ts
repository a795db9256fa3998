// Consumer instances of Confluent's REST API before any Kafka: two gateways serve one in turn.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { eventually } from "../cluster/cluster-scene.ts";
import { produce, RestConsumer } from "../cluster/rest-consumer.ts";
import { request } from "../support/http-client.ts";

const waitMsMax = 20_000;

export function restCases(doors: () => readonly string[]): void {
  test("two gateways serve one consumer instance in turn, each record once", async () => {
    const [first, second] = doors();
    const body = { name: "rest-seats", partitions: 3 };
    await request(`${first}/v1/topics`, { body });
    await eventually(
      "the other gateway knows the topic",
      async () => (await fetch(`${second}/topics/rest-seats`)).ok,
      waitMsMax,
    );
    const values = Array.from({ length: 20 }, (_, i) => i);
    await produce(second!, "rest-seats", values);
    const consumer = await RestConsumer.create(doors(), { group: "rest-g", name: "one" });
    await consumer.subscribe("rest-seats");
    const seen: number[] = [];
    for (let reads = 0; seen.length < values.length && reads < 60; reads++) {
      seen.push(...(await consumer.read(1000, 20)).map(({ value }) => Number(value)));
    }
    assert.equal(
      seen.sort((a, b) => a - b),
      values,
    );
    await consumer.commit();
    const committed = await consumer.committed();
    assert.is(
      committed.reduce((sum, { offset }) => sum + offset, 0),
      values.length,
    );
    await consumer.close();
  });
}
