// Two REST instances of one group read what is written meanwhile, each request to the next broker, and one broker process
// is killed: everything is read. Three brokers as processes. Time limit: 120 s

import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { request } from "../support/http-client.ts";
import { produce, RestConsumer } from "./rest-consumer.ts";
import { pidOf, startBrokers, stopBrokers } from "./served-brokers.ts";

const total = 3_000;
const perBody = 50;
const killAfterMs = 3_000;
const runMsMax = 60_000;
const settings = ["offsets.topic.num.partitions=6", "group.initial.rebalance.delay.ms=0"];

/** Again, at the next broker, until it is stored. */
async function produceAll(doors: readonly string[]): Promise<void> {
  for (let first = 0; first < total; first += perBody) {
    const values = Array.from({ length: perBody }, (_, i) => first + i);
    for (let attempt = 0; ; attempt++) {
      const stored = await produce(doors[attempt % doors.length]!, "k", values).then(
        () => true,
        (error: unknown) => {
          if (attempt >= 100) throw error;
          return false;
        },
      );
      if (stored) break;
      await sleep(100);
    }
    await sleep(100);
  }
}

/** What a client meets where its broker has gone: it asks again. */
async function readUntil(
  consumer: RestConsumer,
  seen: Map<unknown, number>,
  endMs: number,
): Promise<void> {
  while (seen.size < total && performance.now() < endMs) {
    try {
      for (const { value } of await consumer.read(500, 400)) {
        seen.set(value, (seen.get(value) ?? 0) + 1);
      }
      await consumer.commit();
    } catch {
      await sleep(50);
    }
  }
}

test("a broker process is killed while two instances read through all of them: nothing is left out", async () => {
  const server = await startBrokers(3, { args: settings.flatMap((each) => ["--set", each]) });
  try {
    const { doors } = server;
    const body = { name: "k", partitions: 6, replication_factor: 3 };
    await request(`${doors[0]}/v1/topics`, { body });
    const consumers = await Promise.all(
      ["a", "b"].map((name) => RestConsumer.create(doors, { group: "g", name })),
    );
    for (const each of consumers) await each.subscribe("k");
    const seen = new Map<unknown, number>();
    const endMs = performance.now() + runMsMax;
    const killing = sleep(killAfterMs).then(() => process.kill(pidOf(server, 2), "SIGKILL"));
    const reading = consumers.map((each) => readUntil(each, seen, endMs));
    await Promise.all([...reading, produceAll(doors), killing]);
    assert.is(seen.size, total);
    const twice = [...seen.values()].filter((count) => count > 1).length;
    console.log(`${total} records read, ${twice} of them more than once`);
  } finally {
    await stopBrokers(server);
  }
});

test.run();
