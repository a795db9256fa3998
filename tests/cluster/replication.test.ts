// Replication over real sockets: three brokers in one process copy, lose a leader, and go on.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { collect } from "../../runtime/records.ts";
import type { Server } from "../../runtime/server.ts";
import { ClusterScene, eventually } from "./cluster-scene.ts";

const topic = "flights";

async function withCluster(
  configs: Record<string, string>,
  run: (scene: ClusterScene) => Promise<void>,
): Promise<void> {
  const scene = new ClusterScene({ "timberline.flush": "os", ...configs });
  try {
    await scene.start(1, 2, 3);
    await run(scene);
  } finally {
    await scene.close();
  }
}

/** Bytes of a partition below the high watermark, as that broker has them. */
async function copyOf(scene: ClusterScene, id: number, partition = 0): Promise<Uint8Array> {
  const place = { topic, partition };
  const answer = await scene.server(id).broker.fetch({
    partitions: [{ ...place, offset: 0, bytesMax: 1 << 24, currentLeaderEpoch: -1 }],
    waitMsMax: 0,
    bytesMin: 0,
    bytesMax: 1 << 24,
    isolation: "read_uncommitted",
    rack: "",
  });
  assert.is(answer[0]?.error, null);
  return collect(answer[0]!.records);
}

function leaderOf(scene: ClusterScene, partition = 0): number {
  return scene.plane.image.topics.get(topic)!.partitions[partition]!.leader;
}

test("acks=all reaches every replica; the leader dies, and nothing acknowledged is lost", () =>
  withCluster({ "min.insync.replicas": "2" }, async (scene) => {
    const admin = scene.client.admin();
    await admin.createTopic({ name: topic, partitions: 1, replicationFactor: 3 });
    const producer = scene.client.producer({ acks: -1, lingerMs: 0 });
    const send = async (from: number, to: number) => {
      for (let i = from; i < to; i++) await producer.send({ topic, value: `v${i}` });
    };
    await send(0, 50);
    const first = leaderOf(scene);
    await scene.kill(first);
    assert.is.not(leaderOf(scene), first);
    await send(50, 100);
    const followers = [...scene.servers.keys()];
    await eventually("both have all below the high watermark", async () => {
      const copies = await Promise.all(followers.map((id) => copyOf(scene, id)));
      return copies.every((copy) => copy.length === copies[0]!.length && copy.length > 100);
    });
    const [one, other] = await Promise.all(followers.map((id) => copyOf(scene, id)));
    assert.equal(one, other);
    await scene.start(first);
    await eventually("the one that came back is in sync again", () => {
      const { isr } = scene.plane.image.topics.get(topic)!.partitions[0]!;
      return isr.includes(first);
    });
    await send(100, 110);
    await eventually("it has all of them", async () => (await copyOf(scene, first)).length > 0);
    assert.equal(
      scene.complaints.filter((line) => line.includes("ERROR")),
      [],
    );
  }));

test("members of a cluster elect among themselves when a leader is cut off", async () => {
  const scene = new ClusterScene({ "timberline.flush": "os" }, { members: true });
  try {
    await scene.start(1, 2, 3);
    const admin = scene.client.admin();
    const configs = { "min.insync.replicas": "2" };
    await admin.createTopic({ name: topic, partitions: 3, replicationFactor: 3, configs });
    const producer = scene.client.producer({ acks: -1, lingerMs: 0 });
    const send = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        await producer.send({ topic, value: `v${i}`, partition: i % 3 });
      }
    };
    await send(0, 30);
    const [first] = [...scene.servers.keys()];
    const zombie = scene.cut(first!);
    const startMs = Date.now();
    await send(30, 60);
    const tookMs = Date.now() - startMs;
    assert.ok(tookMs < 6_000, `the first records were acknowledged after ${tookMs} ms`);
    const epochs = (server: Server) =>
      server.broker
        .cluster()
        .topics.get(topic)!
        .partitions.map(({ leaderEpoch }) => leaderEpoch);
    assert.is(zombie.broker.cluster().topics.size > 0, true);
    assert.ok(epochs(scene.servers.values().next().value!).some((epoch) => epoch > 0));
  } finally {
    await scene.close();
  }
});

test.run();
