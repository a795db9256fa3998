// The HTTP door in a cluster: any broker's door stores and reads any partition, lookups and streams go on when a leader
// is cut off. Three brokers in this process, over real sockets.
// Time limit: 60 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { EventStream, request, requestJson } from "../support/http-client.ts";
import { ClusterScene } from "./cluster-scene.ts";

const topic = "seats";
const partitions = [0, 1, 2];
const doors = { "timberline.http.enable": "true", "timberline.http.port": "0" };

interface Stored {
  readonly partitions: readonly { readonly partition: number; readonly end_offset: number }[];
}
interface Read {
  readonly records: readonly { readonly value: string }[];
  readonly high_watermark: number;
}

async function withCluster(run: (scene: ClusterScene) => Promise<void>): Promise<void> {
  const scene = new ClusterScene({ "timberline.flush": "os", ...doors }, { members: true });
  try {
    await scene.start(1, 2, 3);
    const body = { name: topic, partitions: 3, replication_factor: 3 };
    await request(`${doorOf(scene, 1)}/v1/topics`, { body });
    await run(scene);
  } finally {
    await scene.close();
  }
}

function doorOf(scene: ClusterScene, id: number): string {
  const { host, port } = scene.server(id).http!;
  return `http://${host}:${port}`;
}

function leadersAt(scene: ClusterScene, id: number): number[] {
  const record = scene.server(id).broker.cluster().topics.get(topic);
  return record!.partitions.map(({ leader }) => leader);
}

function recordsUrl(door: string, partition: number, query = ""): string {
  return `${door}/v1/topics/${topic}/partitions/${partition}/records${query}`;
}

async function store(door: string, partition: number, value: string): Promise<Stored> {
  const body = { value, partition };
  return requestJson<Stored>(`${door}/v1/topics/${topic}/records`, { body });
}

test("any broker's door stores, reads, looks up and deletes records of any partition", () =>
  withCluster(async (scene) => {
    assert.is(new Set(leadersAt(scene, 1)).size, 3);
    for (const id of [1, 2, 3]) {
      for (const partition of partitions) {
        const stored = await store(doorOf(scene, id), partition, `from ${id}`);
        assert.is(stored.partitions[0]?.end_offset, id);
      }
    }
    for (const id of [1, 2, 3]) {
      for (const partition of partitions) {
        const door = doorOf(scene, id);
        const read = await requestJson<Read>(recordsUrl(door, partition, "?offset=0"));
        assert.equal(
          read.records.map(({ value }) => value),
          [1, 2, 3].map((from) => `from ${from}`),
        );
        assert.is(read.high_watermark, 3);
      }
    }
    for (const id of [1, 2, 3]) {
      const door = doorOf(scene, id);
      const last = await requestJson<Read>(recordsUrl(door, 0, "?offset=-1"));
      assert.equal(last.records.length, 1);
      const deletion = `${door}/v1/topics/${topic}/partitions/1/delete-records`;
      const deleted = await requestJson<{ start_offset: number }>(deletion, {
        body: { offset: id },
      });
      assert.is(deleted.start_offset, id);
      const body = { offset: 9 };
      await request(deletion, { body, status: 416 });
    }
  }));

test("long polls and streams get what is stored through another door", () =>
  withCluster(async (scene) => {
    const [door, other] = [doorOf(scene, 1), doorOf(scene, 2)];
    const polls = partitions.map((partition) =>
      requestJson<Read>(recordsUrl(door, partition, "?offset=0&wait=5000")),
    );
    const stream = await EventStream.open(`${door}/v1/topics/${topic}/records?offset=earliest`);
    for (const partition of partitions) await store(other, partition, `${partition}`);
    const read = await Promise.all(polls);
    assert.equal(
      read.map(({ records }) => records[0]?.value),
      ["0", "1", "2"],
    );
    const events = await stream.take(3);
    assert.equal(events.map(({ data }) => valueIn(data)).sort(), ["0", "1", "2"]);
    stream.close();
  }));

test("a leader is cut off: writes, reads and streams through another door only take longer", () =>
  withCluster(async (scene) => {
    const door = doorOf(scene, 1);
    for (const partition of partitions) await store(door, partition, `before ${partition}`);
    const stream = await EventStream.open(`${door}/v1/topics/${topic}/records?offset=earliest`);
    const lost = leadersAt(scene, 1).indexOf(3);
    scene.cut(3);
    await Promise.all(partitions.map((partition) => store(door, partition, `after ${partition}`)));
    assert.is.not(leadersAt(scene, 1)[lost], 3);
    const read = await requestJson<Read>(recordsUrl(door, lost, "?offset=0"));
    assert.equal(
      [...new Set(read.records.map(({ value }) => value))],
      [`before ${lost}`, `after ${lost}`],
    );
    const seen = new Set<string>();
    while (seen.size < 6) for (const { data } of await stream.take(1)) seen.add(valueIn(data));
    stream.close();
  }));

function valueIn(data: string): string {
  return (JSON.parse(data) as { value: string }).value;
}

test.run();
