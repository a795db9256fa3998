// Streams in a cluster: any broker's door makes, appends, reads and closes any stream; writers that come through
// different doors are judged as one; and a leader that is cut off costs nothing that was acknowledged. Three brokers in
// this process, over real sockets.
// Time limit: 60 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { request, requestJson } from "../support/http-client.ts";
import { ClusterScene, eventually } from "./cluster-scene.ts";

const settings = {
  "timberline.flush": "os",
  "default.replication.factor": "3",
  "min.insync.replicas": "2",
  "timberline.http.enable": "true",
  "timberline.http.port": "0",
};
const json = { "content-type": "application/json" };

function at(scene: ClusterScene, id: number, path: string): string {
  const { host, port } = scene.server(id).http!;
  return `http://${host}:${port}/v1/stream/${path}`;
}

/** Made through one door and known at all. */
async function make(scene: ClusterScene, path: string): Promise<void> {
  await request(at(scene, 1, path), { method: "PUT", headers: json });
  for (const id of [1, 2, 3]) {
    await eventually(
      `${path} at ${id}`,
      async () => (await fetch(at(scene, id, path), { method: "HEAD" })).ok,
    );
  }
}

function mark(seq: number): Record<string, string> {
  return { ...json, "producer-id": "p", "producer-epoch": "0", "producer-seq": `${seq}` };
}

test("streams are the same through every door, also when their leader is cut off", async () => {
  const scene = new ClusterScene(settings, { members: true });
  try {
    await scene.start(1, 2, 3);
    await make(scene, "trips/a");
    for (let seq = 0; seq < 9; seq++) {
      const url = at(scene, 1 + (seq % 3), "trips/a");
      await request(url, { headers: mark(seq), body: `${seq}`, status: 200 });
      await request(at(scene, 1 + ((seq + 1) % 3), "trips/a"), {
        ...{ headers: mark(seq), body: `${seq}`, status: 204 },
      });
    }
    const read = await requestJson(at(scene, 2, "trips/a"));
    assert.equal(read, [0, 1, 2, 3, 4, 5, 6, 7, 8]);

    await make(scene, "trips/b");
    const waiting = requestJson(at(scene, 3, "trips/b?offset=now&live=long-poll"));
    const numbers = Array.from({ length: 60 }, (_, n) => n);
    await Promise.all(
      numbers.map((n) =>
        request(at(scene, 1 + (n % 3), "trips/b"), { headers: json, body: `${n}` }),
      ),
    );
    assert.ok(((await waiting) as number[]).length > 0);
    const all = await requestJson<number[]>(at(scene, 1, "trips/b"));
    assert.equal(
      all.sort((a, b) => a - b),
      numbers,
    );

    const topics = scene.server(1).broker.cluster().topics;
    const leader = topics.get("ds..trips.2Fa")?.partitions[0]?.leader ?? -1;
    const [first = 0, second = 0] = [1, 2, 3].filter((id) => id !== leader);
    scene.cut(leader);
    await request(at(scene, first, "trips/a"), { headers: mark(8), body: "8", status: 204 });
    await request(at(scene, second, "trips/a"), { headers: mark(9), body: "9", status: 200 });
    const closing = { "stream-closed": "true" };
    await request(at(scene, first, "trips/a"), { method: "POST", headers: closing, status: 204 });
    await request(at(scene, second, "trips/a"), { headers: mark(10), body: "10", status: 409 });
    assert.equal(await requestJson(at(scene, second, "trips/a")), [...(read as number[]), 9]);
  } finally {
    await scene.close();
  }
});

test.run();
