// What `npm run proof:failover` measures, one by one: how long partitions are without a leader after each kind of end,
// what a short stall and an absent NATS do, and what clients notice of restarts and of growth.

import { findConfluent } from "../compat/confluent.ts";
import { History } from "../sim/history.ts";
import type { Figures } from "./failover.ts";
import { type ChaosBroker, type Fleet, pause } from "./fleet.ts";
import { kafkajsGroup, kafkajsProducer } from "./kafkajs-load.ts";
import { librdkafkaLoad } from "./librdkafka-load.ts";
import { Notebook } from "./load.ts";
import { type Probe, quantile } from "./probe.ts";
import { clients } from "./sites.ts";

const topic = "failover";
const partitions = 6;
const quietMs = 1_000;

export interface Measure {
  readonly name: string;
  /** The sentence it is to prove. */
  readonly target: string;
  readonly needsCuts?: boolean;
  readonly partitions?: number;
  run(scene: MeasureScene): Promise<Figures>;
}

export interface MeasureScene {
  readonly fleet: Fleet;
  readonly probe: Probe;
  readonly topic: string;
  /** Repetitions, where a measure repeats itself; `undefined`: its own number. */
  readonly times: number | undefined;
  say(line: string): void;
}

export const measureTopic = { name: topic, partitions };

/** One way to end a leader, again and again. */
function ending(options: {
  readonly name: string;
  readonly target: string;
  readonly times: number;
  readonly p99MsMax: number;
  readonly needsCuts?: boolean;
  readonly isOrderly?: boolean;
  end(fleet: Fleet, broker: ChaosBroker): Promise<void> | void;
  mend(fleet: Fleet, broker: ChaosBroker): Promise<void> | void;
}): Measure {
  const { name, target, needsCuts = false } = options;
  return {
    ...{ name, target, needsCuts },
    async run(scene) {
      const { fleet, probe, say } = scene;
      const worst: number[] = [];
      for (let time = 0; time < (scene.times ?? options.times); time++) {
        const { broker, led } = await leaderNow(scene);
        const fromMs = performance.now();
        const ended = options.end(fleet, broker);
        const resumed = await probe.resumed(led, fromMs);
        await ended;
        if (options.isOrderly) await pause(quietMs);
        // Whoever is stopped in order still answers for a while: of it the longest gap counts.
        worst.push(
          options.isOrderly ? probe.longestGapMs(fromMs, led) : Math.round(Math.max(...resumed)),
        );
        say(`${time + 1}: broker ${broker.id} with ${led.length} partitions: ${worst.at(-1)} ms`);
        await options.mend(fleet, broker);
        await fleet.settle();
        await pause(quietMs);
      }
      const p99Ms = quantile(worst, 0.99);
      const figures = { times: worst.length, p50Ms: quantile(worst, 0.5), p99Ms, worst };
      return { ...figures, isMet: p99Ms <= options.p99MsMax && probe.errors.length === 0 };
    },
  };
}

async function leaderNow({ fleet, topic: name }: MeasureScene) {
  const topic = await fleet.client.admin().topic(name);
  const id = topic.partitions[0]!.leader;
  const led = topic.partitions.filter(({ leader }) => leader === id);
  return { broker: fleet.broker(id), led: led.map(({ partition }) => partition) };
}

function everyone(fleet: Fleet, id: number): string[] {
  const others = [...fleet.brokers.keys()].filter((each) => each !== id);
  return [...others.map((each) => `b${each}`), "n0", clients];
}

async function epochs(fleet: Fleet): Promise<string> {
  const topics = await fleet.client.admin().topics();
  const all = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition, leader, leaderEpoch }) => [name, partition, leader, leaderEpoch]),
  );
  return JSON.stringify(all.sort());
}

const stall: Measure = {
  name: "stall",
  target: "a stall of 500 ms fences nobody",
  async run(scene) {
    const { fleet, say } = scene;
    const times = scene.times ?? 20;
    let changed = 0;
    for (let time = 0; time < times; time++) {
      const before = await epochs(fleet);
      const broker = fleet.broker((time % fleet.brokers.size) + 1);
      broker.pause();
      await pause(500);
      broker.resume();
      await pause(2 * quietMs);
      const isSame = (await epochs(fleet)) === before;
      changed += isSame ? 0 : 1;
      say(
        `${time + 1}: broker ${broker.id} stood still: ${isSame ? "nothing" : "leaders"} changed`,
      );
    }
    return { times, changed, isMet: changed === 0 };
  },
};

const thousand: Measure = {
  name: "thousand-partitions",
  target: "1,000 partitions fail over in ≤ 3 s in all",
  partitions: 1_000,
  async run(scene) {
    const { fleet, probe, say } = scene;
    const worst: number[] = [];
    const counts: number[] = [];
    for (let time = 0; time < (scene.times ?? 3); time++) {
      const { broker, led } = await leaderNow(scene);
      const fromMs = performance.now();
      await broker.kill();
      const resumed = await probe.resumed(led, fromMs);
      worst.push(Math.round(Math.max(...resumed)));
      counts.push(led.length);
      say(`${time + 1}: ${led.length} partitions of broker ${broker.id}: ${worst.at(-1)} ms`);
      await broker.restart();
      await fleet.settle();
      await pause(2 * quietMs);
    }
    return { ledByTheDead: counts, worst, isMet: Math.max(...worst) <= 3_000 };
  },
};

const natsAway: Measure = {
  name: "nats-away",
  target: "NATS away for 60 s: no error; elections and changes resume within 3 s of its return",
  async run({ fleet, probe, topic: name, say }) {
    const awayMs = 60_000;
    await fleet.nats.kill(0);
    const fromMs = performance.now();
    await pause(awayMs);
    const gapMs = probe.longestGapMs(fromMs);
    const errors = probe.errors.length;
    say(`the longest gap of a partition was ${gapMs} ms, ${errors} errors`);
    await fleet.nats.startServer(0);
    const backMs = performance.now();
    await fleet.client.admin().createTopic({ name: "after", partitions: 1, replicationFactor: 3 });
    const changeMs = Math.round(performance.now() - backMs);
    const id = await fleet.leaderOf(name, 0);
    const killedMs = performance.now();
    await fleet.broker(id).kill();
    const electionMs = Math.round(Math.max(...(await probe.resumed([0], killedMs))));
    await fleet.broker(id).restart();
    await fleet.settle();
    const isMet = errors === 0 && gapMs < 1_000 && changeMs <= 3_000 && electionMs <= 3_000;
    return { awayMs, gapMs, errors, changeMs, electionMs, isMet };
  },
};

const added: Measure = {
  name: "added-broker",
  target: "a fourth broker takes its share; produce p99 grows by 2 times at most",
  async run({ fleet, probe, topic: name, say }) {
    const spanMs = 10_000;
    await fill(fleet, name);
    await pause(spanMs);
    const startMs = performance.now();
    const before = probe.latenciesMs(startMs - spanMs, startMs);
    await fleet.add(4);
    const all = await fleet.client.admin().topic(name);
    const moves = all.partitions.map(({ partition, replicas }) => {
      // Every fourth replica of the old ones moves: then all have the same.
      const replaced = partition % 4 === 3 ? replicas.length : partition % 3;
      return { partition, replicas: replicas.map((id, index) => (index === replaced ? 4 : id)) };
    });
    const moveMs = performance.now();
    await fleet.reassign(name, moves);
    await fleet.reassigned(name, moves);
    await fleet.settle();
    const movedMs = Math.round(performance.now() - moveMs);
    await pause(spanMs / 2);
    const after = probe.latenciesMs(startMs, performance.now());
    const [p99BeforeMs, p99DuringMs] = [before, after].map((each) => round(quantile(each, 0.99)));
    say(`p99 ${p99BeforeMs} ms before, ${p99DuringMs} ms meanwhile`);
    const errors = probe.errors.length;
    const isMet = errors === 0 && p99DuringMs! <= 2 * p99BeforeMs!;
    return { p99BeforeMs: p99BeforeMs!, p99DuringMs: p99DuringMs!, movedMs, errors, isMet };
  },
};

const wiped: Measure = {
  name: "nats-wiped",
  target: "NATS loses its store: no error at clients, an alarm, and a restore that brings it back",
  async run({ fleet, probe, say }) {
    const admin = fleet.client.admin();
    const fromMs = performance.now();
    await fleet.nats.kill(0);
    fleet.nats.wipe(0);
    await fleet.nats.startServer(0);
    await pause(5 * quietMs);
    const status = await fleet.command("cluster", "status", "-o", "json");
    const isAlarmed = /cluster restore/.test(status);
    // Clients try changes again until their time is up: nothing is made meanwhile.
    const refusal = admin.createTopic({ name: "refused", partitions: 1 }).catch(() => {});
    const refused = await Promise.race([refusal, pause(5 * quietMs).then(() => "waits")]);
    say(`alarm: ${isAlarmed}; a new topic: ${refused === "waits" ? "waits" : "was made"}`);
    const restoreMs = performance.now();
    await fleet.command("cluster", "restore", "--yes");
    const restoredMs = Math.round(performance.now() - restoreMs);
    await fleet.client.admin().createTopic({ name: "after", partitions: 1, replicationFactor: 3 });
    await fleet.settle();
    const gapMs = probe.longestGapMs(fromMs);
    const errors = probe.errors.length;
    const isMet = isAlarmed && refused === "waits" && errors === 0 && gapMs < 1_000;
    return { isAlarmed, restoredMs, gapMs, errors, isMet };
  },
};

/** All clients with their own time limits and retries. */
const rolling: Measure = {
  name: "rolling-restart",
  target: "a rolling restart of all three under load: 0 failed requests at clients",
  async run({ fleet, probe, topic: name, times = 2, say }) {
    const notebook = new Notebook(new History());
    const place = {
      ...{ bootstrap: fleet.bootstrap, topic: name, partitions, pauseMs: 20, isDefault: true },
    };
    const confluent = await findConfluent();
    const load = [await kafkajsProducer(place, notebook), await kafkajsGroup(place, notebook)];
    if (confluent) load.push(librdkafkaLoad(confluent.python, place, notebook));
    await pause(3 * quietMs);
    const fromMs = performance.now();
    for (let time = 0; time < times; time++) {
      for (const broker of [...fleet.brokers.values()]) {
        await broker.stop();
        await broker.restart();
        await fleet.settle();
        say(`${time + 1}: broker ${broker.id} is back`);
      }
    }
    const gapMs = probe.longestGapMs(fromMs);
    await Promise.all(load.map((client) => client.stop()));
    const failed = [...notebook.errors.map(({ client, what }) => `${client}: ${what}`)];
    failed.push(...probe.errors);
    const { sends } = notebook.history;
    const unanswered = sends.filter(({ outcome }) => outcome !== "ok").length;
    const samples = failed.slice(0, 5).join("; ");
    const isMet = failed.length === 0 && unanswered === 0;
    const requests = sends.length;
    return {
      restarts: 3 * times,
      requests,
      unanswered,
      failed: failed.length,
      samples,
      gapMs,
      isMet,
    };
  },
};

/** Something to move: 64 MiB in all, each three times. */
async function fill(fleet: Fleet, name: string): Promise<void> {
  const producer = fleet.client.producer();
  const value = new Uint8Array(64 * 1024).fill(7);
  for (let sent = 0; sent < 1_024; sent++) {
    await producer.ready();
    void producer.send({ topic: name, partition: sent % partitions, value });
  }
  await producer.close();
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

export const measures: readonly Measure[] = [
  ending({
    name: "kill",
    target: "kill -9 of a leader: the next acknowledged record in ≤ 2 s (p99 of 50)",
    times: 50,
    p99MsMax: 2_000,
    end: (_, broker) => broker.kill(),
    mend: (_, broker) => broker.restart(),
  }),
  ending({
    name: "controlled-stop",
    target: "a controlled stop: ≤ 0.3 s",
    times: 15,
    p99MsMax: 300,
    isOrderly: true,
    end: (_, broker) => broker.stop(),
    mend: (_, broker) => broker.restart(),
  }),
  ending({
    name: "sigstop",
    target: "SIGSTOP of a leader: ≤ 3 s",
    times: 15,
    p99MsMax: 3_000,
    end: (_, broker) => broker.pause(),
    mend: (_, broker) => broker.resume(),
  }),
  ending({
    name: "silent-peer",
    target: "a peer that falls silent without a reset: ≤ 3 s",
    times: 15,
    p99MsMax: 3_000,
    needsCuts: true,
    end(fleet, { id }) {
      for (const other of everyone(fleet, id)) {
        fleet.sites.drop(`b${id}`, other);
        fleet.sites.drop(other, `b${id}`);
      }
    },
    mend: (fleet) => fleet.sites.heal(),
  }),
  stall,
  thousand,
  natsAway,
  wiped,
  rolling,
  added,
];
