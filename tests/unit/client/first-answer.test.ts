// firstAnswer(), and what a client does about a broker that says nothing: it asks the others.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Context } from "../../../runtime/client/context.ts";
import { ClientError } from "../../../runtime/client/error.ts";
import { firstAnswer } from "../../../runtime/client/first-answer.ts";
import { createClient } from "../../../runtime/client/mod.ts";
import { FakeCluster } from "./fake-cluster.ts";

const bootstrap = ["broker-1:1", "broker-2:2"];
const silence = () => new Promise<string>(() => {});
const lost = () => Promise.reject(new ClientError("NETWORK_EXCEPTION", "lost"));

function asking() {
  const cluster = new FakeCluster();
  const context = new Context({ platform: cluster.platform(), bootstrap });
  return { context, clock: cluster.clock };
}

test("firstAnswer() asks the next at once after a failure, and after a second of silence", async () => {
  const { context, clock } = asking();
  assert.is(await firstAnswer(context, [lost, async () => "b"]), "b");
  assert.is(clock.monotonicMs(), 0);
  assert.is(await firstAnswer(context, [silence, silence, async () => "c"]), "c");
  assert.is(clock.monotonicMs(), 2_000);
});

test("firstAnswer() rejects when all have failed, or with what nobody can mend", async () => {
  const { context } = asking();
  const codeOf = (answer: Promise<string>) => answer.catch(({ code }: ClientError) => code);
  assert.is(await codeOf(firstAnswer(context, [lost, lost])), "NETWORK_EXCEPTION");
  const refused = () => Promise.reject(new ClientError("UNSUPPORTED_VERSION", "too old"));
  assert.is(await codeOf(firstAnswer(context, [refused, async () => "b"])), "UNSUPPORTED_VERSION");
  assert.is(await codeOf(firstAnswer(context, [])), "BROKER_NOT_AVAILABLE");
});

test("a leader that says nothing is left as soon as the others count it as gone", async () => {
  const cluster = new FakeCluster([1, 2]);
  const [partition] = cluster.addTopic("t", [1]);
  const client = createClient({ platform: cluster.platform(), bootstrap });
  const producer = client.producer();
  await producer.send({ topic: "t", partition: 0, value: "a" });
  cluster.fault = ({ broker }) => (broker === 1 ? "lose" : undefined);
  const startMs = cluster.clock.monotonicMs();
  cluster.clock.after(1_500, () => {
    cluster.fenced.add(1);
    partition!.leader = 2;
  });
  await producer.send({ topic: "t", partition: 0, value: "b" });
  const tookMs = cluster.clock.monotonicMs() - startMs;
  assert.ok(tookMs >= 1_500 && tookMs < 3_000, `${tookMs} ms`);
  await client.close();
});

test("a leader that is slow but alive is waited for", async () => {
  const cluster = new FakeCluster([1, 2]);
  cluster.addTopic("t", [1]);
  const client = createClient({ platform: cluster.platform(), bootstrap });
  const producer = client.producer({ idempotent: false });
  await producer.send({ topic: "t", partition: 0, value: "a" });
  const dials = cluster.dials.filter((to) => to.includes("broker-1")).length;
  let asked = 0;
  cluster.fault = ({ broker, api }) => {
    if (broker !== 1 || api !== "Produce") return undefined;
    return ++asked === 1 ? "lose" : undefined;
  };
  const startMs = cluster.clock.monotonicMs();
  await producer.send({ topic: "t", partition: 0, value: "b" });
  assert.ok(cluster.clock.monotonicMs() - startMs >= 30_000, "the request's own time limit");
  assert.is(cluster.dials.filter((to) => to.includes("broker-1")).length, dials + 1);
  await client.close();
});

test.run();
