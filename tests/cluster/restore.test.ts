// A real nats-server that loses its store: under three running brokers, while all of them start, and how
// `timberline cluster snapshot` and `restore` bring the metadata back.
// Time limit: 60 s

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createSocket } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerConfig } from "../../runtime/config.ts";
import { type Client, createClient } from "../../runtime/mod.ts";
import { clusterJoiner } from "../../runtime/platforms/cluster-member.ts";
import { createServer, type Server } from "../../runtime/server.ts";
import { MemoryStorage } from "../../runtime/storage/memory.ts";
import { Log } from "../../runtime/telemetry/logger.ts";
import { callInProcess } from "../cli/command-line.ts";
import { platform } from "../support/log-fixture.ts";
import { natsServerProgram, TestNats } from "../support/nats-server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { eventually } from "./cluster-scene.ts";

const topic = "flights";
const ids = [1, 2, 3] as const;

/** Three brokers, each at one port and with one storage for all its lives, and their NATS. */
class Fleet {
  readonly nats: TestNats;
  readonly servers = new Map<number, Server>();
  readonly complaints: string[] = [];
  readonly told: string[] = [];
  readonly #storages = new Map<number, MemoryStorage>();
  readonly #ports = new Map<number, number>();
  #client: Client | undefined;

  private constructor(nats: TestNats) {
    this.nats = nats;
  }

  static async start(program: string): Promise<Fleet> {
    const fleet = new Fleet(await TestNats.start({ program }));
    for (const id of ids) fleet.#ports.set(id, await freePort());
    await Promise.all(ids.map((id) => fleet.startBroker(id)));
    return fleet;
  }

  get bootstrap(): string[] {
    return [...this.#ports.values()].map((port) => `127.0.0.1:${port}`);
  }

  get client(): Client {
    this.#client ??= createClient({ platform, bootstrap: this.bootstrap, retryBackoffMs: 20 });
    return this.#client;
  }

  async startBroker(id: number): Promise<void> {
    const storage = this.#storages.get(id) ?? new MemoryStorage(Number.POSITIVE_INFINITY);
    this.#storages.set(id, storage);
    const values = {
      "node.id": String(id),
      listeners: `PLAINTEXT://127.0.0.1:${this.#ports.get(id)}`,
      "timberline.http.enable": "false",
      "timberline.flush": "os",
      "min.insync.replicas": "2",
    };
    const set = new Map(
      Object.entries(values).map(([name, text]) => [name, { text, place: "test" }]),
    );
    const write = (line: string) => void this.complaints.push(`${id}: ${line.trim()}`);
    const log = new Log({ clock: platform.clock, level: "warn", format: "text", write });
    const servers = this.nats.urls;
    const place = { kind: "nats", servers, cluster: "main", report: () => {} } as const;
    const alarmed = (alarm: string | null) => void this.told.push(`${id}: ${alarm ?? "over"}`);
    const joinCluster = clusterJoiner(platform, place, {}, alarmed);
    const config = new BrokerConfig({ set });
    const logger = log.logger();
    this.servers.set(id, await createServer({ platform, config, logger, storage, joinCluster }));
  }

  async wipeNats(): Promise<void> {
    await this.nats.kill(0);
    this.nats.wipe(0);
    await this.nats.startServer(0);
  }

  alarms(): (string | null)[] {
    return [...this.servers.values()].map(({ broker }) => broker.care.status().alarm);
  }

  cli(...args: string[]) {
    return callInProcess(["cluster", ...args, "-b", this.bootstrap.join(",")]);
  }

  async close(): Promise<void> {
    await this.#client?.close();
    await Promise.all([...this.servers.values()].map((server) => server.close()));
    await this.nats.stop();
  }
}

async function freePort(): Promise<number> {
  const socket = createSocket();
  await new Promise<void>((resolve) => socket.listen(0, "127.0.0.1", resolve));
  const address = socket.address();
  await new Promise((resolve) => socket.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function send(fleet: Fleet, values: readonly string[]): Promise<void> {
  const producer = fleet.client.producer({ acks: -1, lingerMs: 0 });
  for (const value of values) await producer.send({ topic, value });
  await producer.close();
}

async function read(fleet: Fleet, count: number): Promise<string[]> {
  const consumer = fleet.client.consumer({ fetchWaitMsMax: 100 });
  await consumer.assign([{ topic, partition: 0, offset: "earliest" }]);
  const values: string[] = [];
  for (let polls = 0; values.length < count && polls < 500; polls++) {
    const batch = await consumer.poll(200);
    for (const { value } of batch?.records ?? []) values.push(new TextDecoder().decode(value!));
  }
  await consumer.stop();
  return values;
}

function lines(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `v${from + index}`);
}

const program = await natsServerProgram();

async function withFleet(run: (fleet: Fleet) => Promise<void>): Promise<void> {
  const fleet = await Fleet.start(program!);
  try {
    await fleet.client.admin().createTopic({ name: topic, partitions: 1, replicationFactor: 3 });
    await send(fleet, lines(0, 20));
    await run(fleet);
  } finally {
    await fleet.close();
  }
}

if (program !== undefined) {
  test("NATS is wiped under three brokers: data goes on, and restore brings the metadata back", () =>
    withFleet(async (fleet) => {
      const before = fleet.servers.get(1)!.broker.care.status();
      const calm = await fleet.cli("restore", "--yes");
      assert.is(calm.code, 0);
      assert.match(calm.stderr, /nothing was lost: all brokers follow/);
      await fleet.wipeNats();
      await eventually("all say that it went back", () =>
        fleet.alarms().every((alarm) => /went back.*timberline cluster restore/.test(alarm ?? "")),
      );
      await send(fleet, lines(20, 40));
      const status = await fleet.cli("status", "--check");
      assert.is(status.code, 10);
      assert.match(status.stdout, /^metadata service +.*went back.*cluster restore/m);
      const refused = await fleet.cli("restore");
      assert.is(refused.code, 2);
      assert.match(refused.stderr, /no terminal to ask/);
      const done = await fleet.cli("restore", "--yes", "-o", "json");
      assert.is(done.code, 0, done.stderr);
      assert.match(done.stderr, /to do: write broker \d's copy: controller epoch \d+, version \d+/);
      const rows = JSON.parse(done.stdout) as { broker: number; state: string }[];
      assert.equal(
        rows.map(({ broker, state }) => ({ broker, state })),
        ids.map((broker) => ({ broker, state: "follows" })),
      );
      assert.equal(fleet.alarms(), [null, null, null]);
      for (const id of ids) {
        const told = fleet.told.filter((line) => line.startsWith(`${id}: `));
        assert.is(told.length, 2, "once when it begins, once when it is over");
        assert.is(told[1], `${id}: over`);
      }
      const { version, controllerEpoch } = fleet.servers.get(1)!.broker.care.status();
      assert.ok(version > before.version && controllerEpoch > before.controllerEpoch);
      await fleet.client.admin().createTopic({ name: "new", partitions: 1, replicationFactor: 3 });
      await send(fleet, lines(40, 60));
      assert.equal(await read(fleet, 60), lines(0, 60));
    }));

  test("all brokers start while NATS is empty: readers are served, and restore does the rest", () =>
    withFleet(async (fleet) => {
      const file = join(tempFolder("snapshot"), "metadata.json");
      const kept = await fleet.cli("snapshot", "--out", file);
      assert.is(kept.code, 0, kept.stderr);
      assert.ok(existsSync(file));
      assert.match(kept.stderr, /broker \d's copy: controller epoch 1, version \d+, \d+ topics?/);
      await Promise.all([...fleet.servers.values()].map((server) => server.close()));
      await fleet.wipeNats();
      await Promise.all(ids.map((id) => fleet.startBroker(id)));
      for (const id of ids) {
        assert.ok(
          fleet.complaints.some((line) =>
            new RegExp(`^${id}: .*serves readers only: the metadata service went back`).test(line),
          ),
          fleet.complaints.join("\n"),
        );
        const reasons = fleet.servers.get(id)!.readiness();
        assert.equal(reasons, ["waiting: the cluster's metadata was lost"]);
      }
      assert.equal(await read(fleet, 20), lines(0, 20));
      const done = await fleet.cli("restore", "--yes");
      assert.is(done.code, 0, done.stderr);
      await eventually("all take part", () =>
        [...fleet.servers.values()].every((server) => server.readiness().length === 0),
      );
      await send(fleet, lines(20, 40));
      assert.equal(await read(fleet, 40), lines(0, 40));
      const again = await fleet.cli("restore", "--from", file, "--yes");
      assert.is(again.code, 0, again.stderr);
      await send(fleet, lines(40, 50));
      assert.equal(await read(fleet, 50), lines(0, 50), "an old copy takes nothing away");
      const damaged = readFileSync(file);
      damaged[damaged.length >> 1]! ^= 1;
      writeFileSync(file, damaged);
      const refused = await fleet.cli("restore", "--from", file, "--yes");
      assert.is(refused.code, 1);
      assert.match(refused.stderr, /damaged/);
    }));
}

test.run();
