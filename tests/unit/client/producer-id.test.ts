// What becomes of batches on their way when a producer gets a new id: none of them may be stored twice.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../../runtime/client/mod.ts";
import { FakeCluster } from "./fake-cluster.ts";

test("what may be stored already keeps its number when others get a new producer id", async () => {
  const cluster = new FakeCluster([1, 2]);
  const [first, second] = cluster.addTopic("t", [1, 2]);
  const client = createClient({ platform: cluster.platform(), bootstrap: ["bootstrap:1"] });
  const producer = client.producer();
  const send = (partition: number, value: string) =>
    producer.send({ topic: "t", partition, value });
  await Promise.all([send(0, "a"), send(1, "b")]);
  const asked = new Map<number, number>();
  cluster.fault = ({ api, broker }) => {
    if (api !== "Produce") return undefined;
    const count = (asked.get(broker) ?? 0) + 1;
    asked.set(broker, count);
    // Stored, but never said so; meanwhile the other partition's broker forgets the producer.
    if (count > 1) return undefined;
    return broker === 1 ? "cut after" : { error: "UNKNOWN_PRODUCER_ID" };
  };
  await Promise.all([send(0, "once"), send(1, "next")]);
  assert.equal(first!.values(), ["a", "once"]);
  assert.equal(second!.values(), ["b", "next"]);
  await client.close();
});

test.run();
