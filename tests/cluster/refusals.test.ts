// Brokers that must not take part, each with one clear sentence and no harm to the others: a second one of an id, one of
// another cluster, one with an older Timberline than the metadata, one that was away, one with a clock of its own.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeEntry } from "../../cluster/entry-codec.ts";
import { openClusterMember } from "../../cluster/member.ts";
import { SharedLogStore } from "../../cluster/shared-log.ts";
import { BrokerConfig } from "../../runtime/config.ts";
import type { Platform } from "../../runtime/platform.ts";
import { clusterFiles } from "../../runtime/platforms/cluster-files.ts";
import { createServer, type JoinCluster, type Server } from "../../runtime/server.ts";
import { MemoryStorage } from "../../runtime/storage/memory.ts";
import { Log } from "../../runtime/telemetry/logger.ts";
import { platform } from "../support/log-fixture.ts";
import { eventually } from "./cluster-scene.ts";

/** Brokers that share one metadata log; storages are the test's. */
class Cluster {
  readonly store = new SharedLogStore();
  readonly #servers = new Set<Server>();

  async start(id: number, storage = memory(), own: Platform = platform): Promise<Server> {
    const values = {
      "node.id": String(id),
      listeners: "PLAINTEXT://127.0.0.1:0",
      "timberline.http.enable": "false",
      "timberline.flush": "os",
    };
    const set = new Map(
      Object.entries(values).map(([name, text]) => [name, { text, place: "test" }]),
    );
    const log = new Log({ clock: own.clock, level: "error", format: "text", write: () => {} });
    const server = await createServer({
      platform: own,
      config: new BrokerConfig({ set }),
      logger: log.logger(),
      storage,
      joinCluster: this.#join,
    });
    this.#servers.add(server);
    return server;
  }

  async stop(server: Server): Promise<void> {
    this.#servers.delete(server);
    await server.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.close()));
  }

  readonly #join: JoinCluster = async ({ peers, clusterId, storage, brokerId }) => {
    const { clock, random } = platform;
    const files = clusterFiles(storage);
    const log = this.store.open();
    const known = clusterId === undefined ? {} : { clusterId };
    const member = await openClusterMember({
      log,
      peers,
      clock,
      random,
      files,
      brokerId,
      ...known,
    });
    return { controlPlane: member, answer: (question, from) => member.answer(question, from) };
  };
}

function memory(): MemoryStorage {
  return new MemoryStorage(Number.POSITIVE_INFINITY);
}

async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "it was not refused",
    (error: unknown) => (error as Error).message,
  );
}

function fenced({ broker }: Server): number[] {
  const all = [...broker.cluster().brokers.values()];
  return all.filter((each) => each.fenced).map(({ id }) => id);
}

async function withCluster(run: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster();
  try {
    await run(cluster);
  } finally {
    await cluster.close();
  }
}

test("a second broker of an id is refused while the first one lives", () =>
  withCluster(async (cluster) => {
    const first = await cluster.start(1);
    const other = await cluster.start(2);
    for (const id of [1, 2]) {
      const { host, port } = id === 1 ? first.kafka : other.kafka;
      assert.is(
        await refusal(cluster.start(id)),
        `Broker id ${id} belongs to the living broker at ${host}:${port}: give this one another id.`,
      );
    }
    assert.equal(fenced(first), []);
    assert.is(first.broker.care.status().controllerEpoch, 1);
  }));

test("a broker of another cluster is refused, and both clusters go on", () =>
  withCluster(async (cluster) => {
    const first = await cluster.start(1);
    await withCluster(async (other) => {
      const storage = memory();
      const stranger = await other.start(2, storage);
      await other.stop(stranger);
      assert.match(
        await refusal(cluster.start(2, storage)),
        /the metadata service holds cluster .{22}, this broker belongs to cluster .{22}: connect it to/,
      );
      await other.start(2, storage);
    });
    assert.equal([...first.broker.cluster().brokers.keys()], [1]);
    assert.is(first.broker.care.status().alarm, null);
  }));

test("a broker that is older than the metadata is refused and told to be updated", () =>
  withCluster(async (cluster) => {
    const first = await cluster.start(1);
    const storage = memory();
    const second = await cluster.start(2, storage);
    await cluster.stop(second);
    const { clusterId } = first.broker.cluster();
    const { version } = first.broker.care.status();
    const numbers = { clusterId, controllerId: 1, controllerEpoch: 1, version: version + 1 };
    const text = new TextDecoder().decode(encodeEntry({ ...numbers, chain: 0, changes: [] }));
    const bytes = new TextEncoder().encode(text.replace('"format":1', '"format":2'));
    await cluster.store.append({ expected: version, id: "newer", bytes });
    const message = /metadata has format 2, this broker reads up to 1: update this broker/;
    assert.match(await refusal(cluster.start(2, storage)), message);
    assert.match(await refusal(cluster.start(3)), message);
    await eventually("the running one says so too", () =>
      message.test(first.broker.care.status().alarm ?? ""),
    );
  }));

test("a broker that comes back late, with a clock hours off, just follows", () =>
  withCluster(async (cluster) => {
    const first = await cluster.start(1);
    const storage = memory();
    await cluster.stop(await cluster.start(2, storage));
    const layout = { name: "t", partitions: 4, replicationFactor: 1, configs: new Map() };
    for (const name of ["a", "b"]) await first.broker.createTopic({ ...layout, name });
    await first.broker.deleteTopic("a");
    const clock = { ...platform.clock, nowMs: () => platform.clock.nowMs() - 5 * 3_600_000 };
    const late = await cluster.start(2, storage, { ...platform, clock });
    assert.equal([...late.broker.cluster().topics.keys()], ["b"]);
    assert.equal(fenced(first), []);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    assert.equal(fenced(first), [], "sessions are not measured by wall clocks");
  }));

test("a broker whose disk was emptied does not lead what it lost, until somebody says so", () =>
  withCluster(async (cluster) => {
    const first = await cluster.start(1);
    const storage = memory();
    const second = await cluster.start(2, storage);
    const assignments = [[2], [1]];
    const { broker } = first;
    const counts = { partitions: -1, replicationFactor: -1 };
    await broker.createTopic({ name: "t", ...counts, assignments, configs: new Map() });
    const leaders = () =>
      broker
        .cluster()
        .topics.get("t")
        ?.partitions.map(({ leader }) => leader);
    await cluster.stop(second);
    await cluster.start(2, storage).then((again) => cluster.stop(again));
    await cluster.start(2, memory());
    assert.equal(fenced(first), []);
    assert.equal(leaders(), [-1, 1]);
    await broker.care.electLeaders({ kind: "unclean", partitions: null });
    assert.equal(leaders(), [2, 1]);
  }));

test.run();
