// One simulation: a cluster and its clients, a while of faults, a while of peace, and a verdict.

import type { Core } from "../../storage-wasm/core.ts";
import { checkHistory } from "./checker.ts";
import { Brokers, brokerPort } from "./cluster.ts";
import { History, type Violation } from "./history.ts";
import { Nemesis } from "./nemesis.ts";
import { newCore } from "./sim-platform.ts";
import { checkReplicas, isSettled, StateWatch } from "./state-checks.ts";
import { partitions, topic, Workload } from "./workload.ts";
import { World } from "./world.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly brokers?: number;
  readonly core?: Core;
  readonly print?: ((line: string) => void) | undefined;
}

export interface Outcome {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly sends: number;
  readonly acknowledged: number;
  readonly reads: number;
  readonly faults: readonly string[];
  readonly violations: readonly Violation[];
  /** The last lines of the trace. */
  readonly lines: readonly string[];
}

const startMsMax = 20_000;
const calmMsMax = 60_000;
const lookEveryMs = 100;

export async function simulate(options: SimulationOptions): Promise<Outcome> {
  const simulation = new Simulation(options);
  try {
    await simulation.run();
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    simulation.violations.push({ rule: "crash", what });
  }
  return simulation.outcome();
}

class Simulation {
  readonly violations: Violation[] = [];
  readonly #world: World;
  readonly #brokers: Brokers;
  readonly #history = new History();
  readonly #workload: Workload;
  readonly #nemesis: Nemesis;
  readonly #watch: StateWatch;
  readonly #isFlushedByOs: boolean;

  constructor({ seed, brokers = 3, core = newCore(), print }: SimulationOptions) {
    const world = new World({ seed, core, print });
    this.#world = world;
    const random = world.random.fork("plan");
    this.#isFlushedByOs = random.chance(0.3);
    this.#brokers = new Brokers(world, brokers, {
      "timberline.flush": this.#isFlushedByOs ? "os" : "group",
      "offsets.topic.num.partitions": "2",
      "transaction.state.log.num.partitions": "1",
      "group.initial.rebalance.delay.ms": "0",
      "replica.lag.time.max.ms": random.pick(["400", "1500", "4000"]),
    });
    const bootstrap = this.#brokers.hosts.map(({ name }) => `${name}:${brokerPort}`);
    this.#workload = new Workload(world, bootstrap, this.#history);
    this.#nemesis = new Nemesis(world, this.#brokers, { mayLosePower: !this.#isFlushedByOs });
    this.#watch = new StateWatch(world, this.#brokers);
  }

  async run(): Promise<void> {
    const { scheduler } = this.#world;
    for (const host of this.#brokers.hosts) this.#brokers.start(host);
    await this.#until("the brokers start", () => this.#areAllRunning(), startMsMax);
    await this.#createTopic();
    this.#watch.start();
    this.#work();
    this.#nemesis.begin();
    await scheduler.run(() => this.#nemesis.isOver, scheduler.nowMs + startMsMax);
    this.#nemesis.healAll();
    this.#workload.stop();
    await this.#until("all is well again", () => this.#isCalm(), calmMsMax);
    await this.#readAll();
    this.violations.push(
      ...this.#watch.violations,
      ...checkReplicas(this.#brokers),
      ...checkHistory(this.#history),
      ...this.#workload.failures.map((what) => ({ rule: "client-failure", what })),
    );
  }

  outcome(): Outcome {
    const { scheduler, seed, lines } = this.#world;
    const { sends, polls } = this.#history;
    return {
      seed,
      hash: scheduler.hash,
      events: scheduler.events,
      virtualMs: Math.round(scheduler.nowMs),
      sends: sends.length,
      acknowledged: sends.filter(({ outcome }) => outcome === "ok").length,
      reads: polls.reduce((sum, { records }) => sum + records.length, 0),
      faults: this.#nemesis.done,
      violations: this.violations,
      lines: lines.slice(-60),
    };
  }

  #areAllRunning(): boolean {
    return this.#brokers.hosts.every(({ isRunning }) => isRunning);
  }

  #isCalm(): boolean {
    return (
      this.#nemesis.isAtPeace &&
      this.#areAllRunning() &&
      this.#workload.isQuiet &&
      isSettled(this.#brokers)
    );
  }

  #work(): void {
    const workload = this.#workload;
    workload.produce("p1", { acks: -1, isIdempotent: true, everyMs: 25 });
    workload.produce("p2", { acks: -1, isIdempotent: true, everyMs: 50 });
    workload.produce("p3", { acks: 1, isIdempotent: false, everyMs: 100 });
    workload.read("r1");
    workload.share("g", "c1");
    workload.share("g", "c2");
  }

  async #createTopic(): Promise<void> {
    const { client, process } = this.#workload.open("admin");
    const factor = this.#brokers.hosts.length;
    const create = () =>
      client.admin().createTopic({
        name: topic,
        partitions,
        replicationFactor: factor,
        configs: { "min.insync.replicas": String(Math.min(2, factor)) },
      });
    await this.#done("the topic is created", (settle) =>
      process.clock.after(0, () => void create().then(() => settle(), settle)),
    );
  }

  /** What is in the log at the end, as a new reader sees it; and what the group has committed. */
  async #readAll(): Promise<void> {
    const { client, process } = this.#workload.open("last");
    const { log, groupEnds } = this.#history;
    const read = async () => {
      const asked = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
      const ends = await client
        .admin()
        .listOffsets(asked.map((each) => ({ ...each, spec: "latest" as const })));
      const consumer = client.consumer({ fetchWaitMsMax: 100 });
      await consumer.assign(asked.map((each) => ({ ...each, offset: "earliest" as const })));
      for (const { partition } of asked) log.set(partition, []);
      const isDone = () =>
        ends.every(({ partition, offset }) => {
          const position = consumer.position({ topic, partition }) ?? 0;
          return position >= offset;
        });
      while (!isDone()) {
        const batch = await consumer.poll(500);
        for (const { offset, value } of batch?.records ?? []) {
          const text = new TextDecoder().decode(value ?? new Uint8Array());
          log.get(batch!.partition)!.push({ offset, value: text });
        }
      }
      await consumer.stop();
      for (const { partition, offset } of await client.groups().offsets("g")) {
        groupEnds.push({ group: "g", partition, committed: offset });
      }
    };
    await this.#done("the log is read", (settle) =>
      process.clock.after(0, () => void read().then(() => settle(), settle)),
    );
  }

  async #done(what: string, begin: (settle: (error?: unknown) => void) => void): Promise<void> {
    let isDone = false;
    let failure: unknown;
    begin((error) => {
      isDone = true;
      failure = error;
    });
    const { scheduler } = this.#world;
    await scheduler.run(() => isDone, scheduler.nowMs + calmMsMax);
    if (!isDone) throw new Error(`not in ${calmMsMax} ms: ${what}`);
    if (failure !== undefined) throw failure;
  }

  async #until(what: string, holds: () => boolean, msMax: number): Promise<void> {
    const { scheduler } = this.#world;
    const endMs = scheduler.nowMs + msMax;
    while (!holds()) {
      if (scheduler.nowMs >= endMs) throw new Error(`not in ${msMax} ms: ${what}${this.#state()}`);
      const nextMs = scheduler.nowMs + lookEveryMs;
      let isDue = false;
      this.#world.after(lookEveryMs, () => {
        isDue = true;
      });
      await scheduler.run(() => isDue, nextMs + 1);
    }
  }

  #state(): string {
    const hosts = this.#brokers.hosts.map((host) => {
      const topics = host.server?.broker.cluster().topics.values() ?? [];
      const parts = [...topics].flatMap(({ name, partitions: all }) =>
        all.map(({ partition, leader, leaderEpoch, isr, elr }) => {
          return `${name}-${partition} leader ${leader} epoch ${leaderEpoch} isr ${isr} elr ${elr}`;
        }),
      );
      const brokers = [...(host.server?.broker.cluster().brokers.values() ?? [])];
      const fenced = brokers.filter(({ fenced }) => fenced).map(({ id }) => id);
      return `\n${host.name} ${host.state}, fenced ${fenced}\n  ${parts.join("\n  ")}`;
    });
    return `; unanswered: ${!this.#workload.isQuiet}${hosts.join("")}`;
  }
}

/** What a person needs of a seed that failed. */
export function describeFailure({ seed, faults, violations, lines }: Outcome): string {
  const told = violations.map(({ rule, what }) => `  ${rule}: ${what}`);
  return [
    `seed ${seed} failed after ${faults.join(", ")}`,
    ...told,
    ...lines.slice(-12).map((line) => `    ${line}`),
    `  see it with: npm run sim -- --seed ${seed} --trace`,
  ].join("\n");
}
