// What becomes of batches on their way when a producer gets a new id: none of them may be stored twice, or too late.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../../runtime/client/mod.ts";
import { produce } from "../../../runtime/kafka/apis/produce.ts";
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

test("what has a new producer id waits for what is under way with the old one", async () => {
  const cluster = new FakeCluster([1, 2]);
  const [first] = cluster.addTopic("t", [1, 2]);
  const client = createClient({ platform: cluster.platform(), bootstrap: ["bootstrap:1"] });
  const producer = client.producer();
  const send = (partition: number, value: string) =>
    producer.send({ topic: "t", partition, value });
  await Promise.all([send(0, "a"), send(1, "b")]);
  const answer = cluster.answer.bind(cluster);
  let asked = 0;
  let isForgotten = false;
  let later: Promise<unknown> | undefined;
  // So slow that the next batch could be on its way before the answer is there.
  cluster.answer = (connection, frame) => {
    const isProduce = frame[1] === produce.key;
    if (asked === 1 && isProduce && connection.broker === 1) later ??= send(0, "later");
    cluster.clock.after(5, () => answer(connection, frame));
  };
  cluster.fault = ({ api, broker }) => {
    if (api !== "Produce") return undefined;
    if (broker === 2) {
      if (isForgotten) return undefined;
      isForgotten = true;
      return { error: "UNKNOWN_PRODUCER_ID" };
    }
    // Maybe stored, says the first answer, so it keeps its id; the second one says not yet.
    asked++;
    if (asked === 1) return { error: "NOT_ENOUGH_REPLICAS_AFTER_APPEND" };
    return asked === 2 ? { error: "NOT_ENOUGH_REPLICAS" } : undefined;
  };
  await Promise.all([send(1, "c"), send(0, "sooner")]);
  await later;
  assert.equal(first!.values(), ["a", "sooner", "later"]);
  await client.close();
});

test.run();
