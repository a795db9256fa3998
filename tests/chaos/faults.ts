// What is done to a cluster under load, by name. A fault ends mended: all links good, all processes at work. What the
// cluster needs to be whole again is waited for by whoever runs it.

import { type ChaosBroker, type Fleet, pause } from "./fleet.ts";
import type { Pick } from "./pick.ts";
import { clients } from "./sites.ts";

export interface Scene {
  readonly fleet: Fleet;
  readonly topic: string;
  readonly pick: Pick;
  say(line: string): void;
}

export interface Fault {
  readonly name: string;
  /** 3: a NATS cluster. Default 1. */
  readonly natsServers?: number;
  readonly needsCuts?: boolean;
  /** Bytes of the disk of the first broker, a file system of its own. */
  readonly diskMiB?: number;
  /** Rounds at most, where each leaves something behind. */
  readonly roundsMax?: number;
  /** One broker on each runtime. */
  readonly isMixed?: boolean;
  /** Brokers at the start, 3. */
  readonly brokers?: number;
  /** Once, and then again until the time is over. */
  round(scene: Scene): Promise<void>;
}

async function leader({ fleet, topic }: Scene): Promise<ChaosBroker> {
  const id = await fleet.leaderOf(topic, 0);
  return fleet.broker(id) ?? fleet.running[0]!;
}

async function killed({ pick, say }: Scene, broker: ChaosBroker): Promise<void> {
  const downMs = pick.between(500, 5_000);
  say(`kill -9 of broker ${broker.id} for ${downMs} ms`);
  await broker.kill();
  await pause(downMs);
  await broker.restart();
}

async function stoppedFor({ say }: Scene, brokers: readonly ChaosBroker[], ms: number) {
  say(`SIGSTOP of ${brokers.map(({ id }) => id)} for ${ms} ms`);
  for (const broker of brokers) broker.pause();
  await pause(ms);
  for (const broker of brokers) broker.resume();
}

/** All its links that are named, in both directions unless `oneWay`. */
async function cutOff(
  { fleet, pick, say }: Scene,
  name: string,
  others: readonly string[],
  oneWay?: "in" | "out",
): Promise<void> {
  const ms = pick.between(2_000, 9_000);
  say(`${name} cut from ${others} ${oneWay ?? "both ways"} for ${ms} ms`);
  for (const other of others) {
    if (oneWay !== "in") fleet.sites.drop(name, other);
    if (oneWay !== "out") fleet.sites.drop(other, name);
  }
  await pause(ms);
  fleet.sites.heal();
}

function otherBrokers(fleet: Fleet, id: number): string[] {
  return [...fleet.brokers.keys()].filter((each) => each !== id).map((each) => `b${each}`);
}

const partition: Fault = {
  name: "partition",
  needsCuts: true,
  async round(scene) {
    const { fleet, pick } = scene;
    const { id } = pick.chance(0.5) ? await leader(scene) : pick.one(fleet.running);
    const name = `b${id}`;
    const brokers = otherBrokers(fleet, id);
    const all = [...brokers, "n0", clients];
    const kinds: (() => Promise<void>)[] = [
      () => cutOff(scene, name, all),
      () => cutOff(scene, name, [...brokers, "n0"]),
      () => cutOff(scene, name, brokers),
      () => cutOff(scene, name, [brokers[0]!]),
      () => cutOff(scene, name, ["n0"]),
      () => cutOff(scene, name, [...brokers, "n0"], "out"),
      () => cutOff(scene, name, [...brokers, "n0"], "in"),
      () => cutOff(scene, name, [clients]),
      () => cutOff(scene, "n0", ["b1", "b2", "b3"]),
    ];
    await pick.next("partition", kinds)();
  },
};

const nats: Fault = {
  name: "nats",
  async round({ fleet, pick, say }) {
    const downMs = pick.between(100, 8_000);
    say(`NATS killed, back after ${downMs} ms`);
    await fleet.nats.kill(0);
    await pause(downMs);
    await fleet.nats.startServer(0);
  },
};

const natsWipe: Fault = {
  name: "nats-wipe",
  async round({ fleet, pick, say }) {
    say("the store of NATS is wiped");
    await fleet.nats.kill(0);
    fleet.nats.wipe(0);
    await fleet.nats.startServer(0);
    await pause(pick.between(1_000, 5_000));
    await fleet.command("cluster", "restore", "--yes");
    say("restored");
  },
};

const growth: Fault = {
  name: "broker-added",
  roundsMax: 2,
  async round({ fleet, pick, say }) {
    const id = fleet.brokers.size + 1;
    say(`broker ${id} joins and gets its share`);
    await fleet.add(id);
    await fleet.command("cluster", "add", String(id), "--yes");
    // The newcomer is killed while it has only just begun.
    const broker = fleet.broker(id);
    await pause(pick.between(0, 1_000));
    await broker.kill();
    await broker.restart();
  },
};

const natsAway: Fault = {
  name: "nats-away",
  async round({ fleet, say }) {
    say("NATS away for 60 s");
    await fleet.nats.kill(0);
    await pause(60_000);
    await fleet.nats.startServer(0);
  },
};

const natsCluster: Fault = {
  name: "nats-cluster",
  natsServers: 3,
  async round(scene) {
    const { fleet, pick, say } = scene;
    const count = pick.chance(0.5) ? 1 : 2;
    const victims = pick.some([0, 1, 2], count);
    const downMs = pick.between(500, 6_000);
    say(`nats-servers ${victims} of 3 killed for ${downMs} ms`);
    await Promise.all(victims.map((index) => fleet.nats.kill(index)));
    // A broker that starts meanwhile waits for a majority of them.
    const kill = pick.chance(0.5) ? killed(scene, await leader(scene)) : undefined;
    await pause(downMs);
    await Promise.all(victims.map((index) => fleet.nats.startServer(index)));
    await kill;
  },
};

const diskFull: Fault = {
  name: "disk-full",
  diskMiB: 256,
  async round({ fleet, say, pick }) {
    const broker = fleet.broker(1);
    const ms = pick.between(1_000, 5_000);
    say(`the disk of broker 1 is full for ${ms} ms`);
    fleet.disk!.fill();
    await pause(ms);
    // Kafka's brokers end when their last log directory fails.
    broker.isDeathExpected = true;
    fleet.disk!.empty();
    broker.look();
    say(`room again; broker 1 is ${broker.state}`);
    if (broker.state === "down") await broker.restart();
    broker.isDeathExpected = false;
  },
};

const rolling: Fault = {
  name: "rolling-restart",
  async round({ fleet, say }) {
    for (const broker of [...fleet.brokers.values()]) {
      say(`broker ${broker.id} is stopped and started`);
      await broker.stop();
      await broker.restart();
      await fleet.settle();
    }
  },
};

const reassignment: Fault = {
  name: "controller-in-reassignment",
  brokers: 4,
  async round(scene) {
    const { fleet, topic, say, pick } = scene;
    const { partitions } = await fleet.client.admin().topic(topic);
    const all = [...fleet.brokers.keys()];
    const moves = partitions.map(({ partition }) => ({ partition, replicas: pick.some(all, 3) }));
    const controller = await fleet.controller();
    say(`reassigning ${topic}, then kill -9 of controller ${controller}`);
    await fleet.reassign(topic, moves);
    await pause(pick.between(0, 100));
    await killed(scene, fleet.broker(controller));
    await fleet.reassigned(topic, moves);
  },
};

/** All of them. A run takes them in this order. */
export const faults: readonly Fault[] = [
  {
    name: "kill",
    async round(scene) {
      const { fleet, pick } = scene;
      await killed(scene, pick.chance(0.7) ? await leader(scene) : pick.one(fleet.running));
    },
  },
  {
    name: "pause-one",
    async round(scene) {
      const victim = scene.pick.one(scene.fleet.running);
      await stoppedFor(scene, [victim], scene.pick.between(300, 6_000));
    },
  },
  {
    name: "pause-leader",
    async round(scene) {
      await stoppedFor(scene, [await leader(scene)], scene.pick.between(1_000, 8_000));
    },
  },
  {
    name: "pause-majority",
    async round(scene) {
      const count = scene.pick.chance(0.3) ? 3 : 2;
      const victims = scene.pick.some(scene.fleet.running, count);
      await stoppedFor(scene, victims, scene.pick.between(1_000, 6_000));
    },
  },
  partition,
  nats,
  natsAway,
  natsWipe,
  natsCluster,
  diskFull,
  rolling,
  reassignment,
  growth,
  {
    name: "mixed-runtimes",
    isMixed: true,
    async round(scene) {
      const { fleet, pick } = scene;
      if (pick.chance(0.7)) await killed(scene, pick.one(fleet.running));
      else await stoppedFor(scene, [await leader(scene)], pick.between(1_000, 6_000));
    },
  },
];
