// The HTTP door in a cluster: any broker's door stores and reads any partition, shows and changes topics and groups, and
// lookups and streams go on when a leader or a coordinator is cut off. Three brokers in this process, over real sockets.
// Time limit: 60 s

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../runtime/client/mod.ts";
import { EventStream, request, requestJson } from "../support/http-client.ts";
import { platform } from "../support/log-fixture.ts";
import { ClusterScene, eventually } from "./cluster-scene.ts";

const topic = "seats";
const partitions = [0, 1, 2];
const settings = {
  "timberline.flush": "os",
  "offsets.topic.num.partitions": "6",
  "group.initial.rebalance.delay.ms": "0",
  "timberline.http.enable": "true",
  "timberline.http.port": "0",
};

interface Stored {
  readonly partitions: readonly { readonly partition: number; readonly end_offset: number }[];
}
interface Read {
  readonly records: readonly { readonly value: string }[];
  readonly high_watermark: number;
}

async function withCluster(run: (scene: ClusterScene) => Promise<void>): Promise<void> {
  const scene = new ClusterScene(settings, { members: true });
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

test("a fence taken through one door shuts out writers at all doors, also after a failover", () =>
  withCluster(async (scene) => {
    const doors = [1, 2, 3].map((id) => doorOf(scene, id));
    const led = leadersAt(scene, 1).indexOf(3);
    const records = (door = doors[0]!, query = "") => recordsUrl(door, led, query);
    const take = async (door: string) => {
      const url = `${door}/v1/topics/${topic}/partitions/${led}/fence`;
      return (await requestJson<{ fence: number }>(url, { method: "POST" })).fence;
    };
    const body = { value: "a" };
    assert.is(await take(doors[0]!), 1);
    await request(records(doors[1], "?fence=1&expected_offset=1"), { body });
    await request(records(doors[1], "?expected_offset=1"), { body, status: 412 });
    assert.is(await take(doors[1]!), 2);
    for (const door of doors) await request(records(door, "?fence=1"), { body, status: 409 });
    scene.cut(3);
    await request(records(doors[0], "?fence=1"), { body, status: 409 });
    await request(records(doors[1], "?fence=2&expected_offset=3"), { body });
    assert.is(await take(doors[1]!), 3);
  }));

test("topics and the cluster look the same through every door, and are changed through any", () =>
  withCluster(async (scene) => {
    const doors = [1, 2, 3].map((id) => doorOf(scene, id));
    const body = { name: "more", partitions: 2, replication_factor: 2 };
    await request(`${doors[0]}/v1/topics`, { body });
    for (const partition of [0, 1]) {
      const records = `${doors[1]}/v1/topics/more/records`;
      await request(records, { body: [1, 2, 3].map((value) => ({ value, partition })) });
    }
    const change = { method: "PATCH", body: { partitions: 3, configs: { "retention.ms": 7 } } };
    await request(`${doors[2]}/v1/topics/more`, change);
    await eventually("all know of the change", () =>
      [1, 2, 3].every((id) => topicAt(scene, id, "more")?.partitions.length === 3),
    );
    const seen = await Promise.all(
      doors.map((door) => requestJson<DescribedTopic>(`${door}/v1/topics/more`)),
    );
    assert.equal(
      seen[0]!.partitions.map(({ high_watermark }) => high_watermark),
      [3, 3, 0],
    );
    assert.equal(seen[0]!.configs, { "retention.ms": "7" });
    assert.equal(seen[1], seen[0]);
    assert.equal(seen[2], seen[0]);
    const clusters = await Promise.all(
      doors.map((door) => requestJson<DescribedCluster>(`${door}/v1/cluster`)),
    );
    for (const [i, { broker_id, brokers }] of clusters.entries()) {
      assert.is(broker_id, i + 1);
      assert.equal(brokers, clusters[0]!.brokers);
    }
    const { brokers } = clusters[0]!;
    assert.is(sum(brokers.map(({ leads }) => leads)), 6);
    assert.is(sum(brokers.map(({ replicas }) => replicas)), 3 * 3 + 3 * 2);
    await request(`${doors[1]}/v1/topics/more`, { method: "DELETE", status: 204 });
    await eventually("all have forgotten it", () =>
      [1, 2, 3].every((id) => topicAt(scene, id, "more") === undefined),
    );
  }));

test("groups are seen and moved through any door, also when their coordinator is cut off", () =>
  withCluster(async (scene) => {
    const doors = [1, 2, 3].map((id) => doorOf(scene, id));
    for (const partition of partitions) await store(doors[0]!, partition, "one");
    const names = ["a", "b", "c", "d", "e", "f"];
    for (const [i, group] of names.entries()) {
      const offsets = partitions.map((partition) => ({ topic, partition, offset: 0 }));
      await request(`${doors[i % 3]}/v1/groups/${group}/offsets`, { body: { offsets } });
    }
    const coordinators = await Promise.all(
      names.map((group) => scene.server(1).broker.groups.find(group)),
    );
    assert.ok(new Set(coordinators).size > 1, "groups have several coordinators");
    for (const door of doors) {
      const { groups } = await requestJson<GroupList>(`${door}/v1/groups`);
      assert.equal(
        groups.map(({ group }) => group),
        names,
      );
      for (const group of names) {
        const described = await requestJson<{ state: string }>(`${door}/v1/groups/${group}`);
        assert.is(described.state, "Empty");
        const { offsets } = await requestJson<GroupOffsets>(`${door}/v1/groups/${group}/offsets`);
        assert.equal(
          offsets.map(({ lag }) => lag),
          [1, 1, 1],
        );
      }
      await request(`${door}/v1/groups/nobody`, { status: 404 });
    }
    const lost = names[coordinators.indexOf(3)];
    assert.ok(lost !== undefined, "broker 3 coordinates a group");
    scene.cut(3);
    const door = doors[0]!;
    const unchanged = await requestJson<GroupList>(`${door}/v1/groups`);
    assert.is(unchanged.groups.length, names.length);
    const move = { offsets: [{ topic, partition: 0, offset: 1 }] };
    await request(`${door}/v1/groups/${lost}/offsets`, { body: move });
    const { offsets } = await requestJson<GroupOffsets>(`${doors[1]}/v1/groups/${lost}/offsets`);
    assert.equal(
      offsets.map(({ lag }) => lag),
      [0, 1, 1],
    );
    await request(`${doors[1]}/v1/groups/${lost}`, { method: "DELETE", status: 204 });
    await request(`${door}/v1/groups/${lost}`, { status: 404 });
    await request(`${door}/v1/groups/${lost}`, { method: "DELETE", status: 404 });
  }));

test("a group's members are seen through every door, and keep their offsets from being moved", () =>
  withCluster(async (scene) => {
    const consumer = scene.client.groupConsumer({ groupId: "readers", topics: [topic] });
    const reading = (async () => {
      for await (const _ of consumer.batches());
    })();
    await eventually("it has all partitions", () => consumer.partitions.length === 3, 20_000);
    for (const id of [1, 2, 3]) {
      const url = `${doorOf(scene, id)}/v1/groups/readers`;
      const { state, members } = await requestJson<DescribedGroup>(url);
      assert.is(state, "Stable");
      assert.equal(
        members.map((member) => [member.member, member.partitions.length]),
        [[consumer.memberId, 3]],
      );
      const move = { offsets: [{ topic, partition: 0, offset: 0 }] };
      await request(`${url}/offsets`, { body: move, status: 404 });
      await request(url, { method: "DELETE", status: 409 });
    }
    await consumer.stop();
    await reading;
  }));

test("one broker's URL is enough for a client: groups, transactions and records of all brokers", () =>
  withCluster(async (scene) => {
    const client = createClient({ platform, bootstrap: doorOf(scene, 1), retryBackoffMs: 20 });
    assert.is(new Set(leadersAt(scene, 1)).size, 3);
    await client.transactionalProducer({ transactionalId: "seller" }).transaction((sold) => {
      for (const partition of partitions) void sold.send({ topic, partition, value: "sold" });
    });
    const consumer = client.groupConsumer({
      groupId: "sellers",
      topics: [topic],
      isolation: "read_committed",
      offsetReset: "earliest",
    });
    const seen: number[] = [];
    for await (const { partition } of consumer) {
      seen.push(partition);
      if (seen.length === partitions.length) break;
    }
    assert.equal(seen.sort(), partitions);
    await client.close();
    const kafka = `${doorOf(scene, 1)}/v1/kafka`;
    const headers = { "content-type": "application/vnd.timberline.kafka" };
    const body = Uint8Array.of(0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255);
    const elsewhere = `${kafka}?broker=127.0.0.1:${new URL(kafka).port}`;
    await request(elsewhere, { headers, body, status: 503 });
  }));

interface DescribedTopic {
  readonly configs: Readonly<Record<string, string>>;
  readonly partitions: readonly { readonly high_watermark: number }[];
}
interface DescribedCluster {
  readonly broker_id: number;
  readonly brokers: readonly { readonly leads: number; readonly replicas: number }[];
}
interface GroupList {
  readonly groups: readonly { readonly group: string }[];
}
interface GroupOffsets {
  readonly offsets: readonly { readonly lag: number }[];
}
interface DescribedGroup {
  readonly state: string;
  readonly members: readonly { readonly member: string; readonly partitions: readonly unknown[] }[];
}
function topicAt(scene: ClusterScene, id: number, name: string) {
  return scene.server(id).broker.cluster().topics.get(name);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function valueIn(data: string): string {
  return (JSON.parse(data) as { value: string }).value;
}

test.run();
