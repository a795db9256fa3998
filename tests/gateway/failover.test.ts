// A gateway before a cluster whose leaders are killed: what was acknowledged is there, and tails go on by themselves.
// Time limit: 90 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createTopic, describedAt, pidOf, startBrokers } from "../cluster/served-brokers.ts";
import { EventStream, request } from "../support/http-client.ts";
import { TestGateway } from "./gateway-process.ts";

const records = 60;
/** After so many records the leader is killed. */
const killsAt = [20, 40];

test("gateway: killed leaders lose nothing, and no tail is cut", async () => {
  const cluster = await startBrokers(3);
  const { http } = await TestGateway.start(cluster.bootstraps.join(","));
  await createTopic(http, "failing", 3);
  const topic = `${http}/v1/topics/failing`;
  const tail = await EventStream.open(`${topic}/partitions/0/records?offset=earliest`);
  const wanted = Array.from({ length: records }, (_, i) => `v${i}`);
  for (const [i, value] of wanted.entries()) {
    if (killsAt.includes(i)) {
      const { leader } = await describedAt(http, "failing");
      process.kill(pidOf(cluster, leader), "SIGKILL");
    }
    await request(`${topic}/records`, { body: { value } });
  }
  // A record whose answer was lost with its leader may be there twice, and nothing else.
  const seen: string[] = [];
  while (new Set(seen).size < records) {
    const [event] = await tail.take(1);
    const { value } = JSON.parse(event!.data) as { value: string };
    if (seen.at(-1) !== value) seen.push(value);
  }
  tail.close();
  assert.equal(seen, wanted);
});

test.run();
