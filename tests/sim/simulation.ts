// One simulation: a cluster and its clients, a while of faults, a while of peace, and a verdict.

import type { Core } from "../../storage-wasm/core.ts";
import { balanceTopic } from "./balances.ts";
import { checkHistory } from "./checker.ts";
import { Brokers, brokerPort } from "./cluster.ts";
import { CommittedWatch } from "./committed-checks.ts";
import { History, type TopicHistory, type Violation } from "./history.ts";
import { Nemesis } from "./nemesis.ts";
import { plotOf, plots } from "./plots.ts";
import type { SimProcess } from "./process.ts";
import { readToEnd } from "./read-to-end.ts";
import { drawScenario, groupOf, type Scenario, topicsOf, work } from "./scenario.ts";
import { newCore } from "./sim-platform.ts";
import { checkReplicas, isSettled, StateWatch } from "./state-checks.ts";
import { transferTopic } from "./transactions.ts";
import { topic, Workload } from "./workload.ts";
import { World } from "./world.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly brokers?: number;
  readonly core?: Core;
  readonly print?: ((line: string) => void) | undefined;
  /** Name of the plot that is played; absent: as the seed says. */
  readonly plot?: string | undefined;
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
  readonly #committed: CommittedWatch;
  readonly #scenario: Scenario;

  constructor({ seed, brokers = 3, core = newCore(), print, plot }: SimulationOptions) {
    const world = new World({ seed, core, print });
    this.#world = world;
    const played = plot === undefined ? plotOf(seed, brokers) : plots[plot];
    this.#scenario = { ...drawScenario(world.random.fork("plan")), ...played?.scenario };
    const { isFlushedByOs, lagMsMax, hasSpare } = this.#scenario;
    const configs = {
      "timberline.flush": isFlushedByOs ? "os" : "group",
      "offsets.topic.num.partitions": "2",
      "transaction.state.log.num.partitions": "1",
      "group.initial.rebalance.delay.ms": "0",
      "group.consumer.heartbeat.interval.ms": "500",
      "group.consumer.session.timeout.ms": "6000",
      "log.cleaner.backoff.ms": "200",
      "replica.lag.time.max.ms": lagMsMax,
    };
    const hasGrowth = hasSpare && brokers === 3;
    this.#brokers = new Brokers(world, {
      count: brokers,
      hasSpare: hasGrowth,
      configs,
      sessionMs: played?.sessionMs,
    });
    const bootstrap = this.#brokers.all.map(({ name }) => `${name}:${brokerPort}`);
    this.#workload = new Workload(world, bootstrap, this.#history);
    const mayLosePower = !isFlushedByOs;
    this.#nemesis = new Nemesis(world, this.#brokers, { mayLosePower, plot: played });
    this.#watch = new StateWatch(world, this.#brokers);
    this.#committed = new CommittedWatch(world, this.#brokers);
  }

  async run(): Promise<void> {
    const { scheduler } = this.#world;
    for (const host of this.#brokers.hosts) this.#brokers.start(host);
    await this.#until("the brokers start", () => this.#areAllRunning(), startMsMax);
    await this.#createTopics();
    this.#watch.start();
    this.#committed.start();
    this.#workload.onAcknowledged = (place) => this.#committed.lookSoon(place);
    work(this.#workload, this.#scenario);
    this.#nemesis.begin();
    await scheduler.run(() => this.#nemesis.isOver, scheduler.nowMs + startMsMax);
    this.#nemesis.healAll();
    this.#workload.stop();
    await this.#until("all is well again", () => this.#isCalm(), calmMsMax);
    await this.#readAll();
    this.violations.push(
      ...this.#watch.violations,
      ...this.#committed.violations,
      ...checkReplicas(this.#brokers, this.#world.core),
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

  async #createTopics(): Promise<void> {
    const { client, process } = this.#workload.open("admin");
    const factor = this.#brokers.hosts.length;
    const inSyncMin = { "min.insync.replicas": String(Math.min(2, factor)) };
    const create = async () => {
      for (const [name, count, configs] of topicsOf(this.#scenario)) {
        await client.admin().createTopic({
          name,
          partitions: count,
          replicationFactor: factor,
          configs: { ...inSyncMin, ...configs },
        });
      }
    };
    await this.#done("the topics are created", process, create);
  }

  /** What is in the logs at the end, as a new reader sees it; and what the groups have committed. */
  async #readAll(): Promise<void> {
    const { client, process } = this.#workload.open("last");
    const { groupEnds } = this.#history;
    const histories = new Map<string, TopicHistory>([
      [topic, this.#history],
      [transferTopic, this.#history.transfers],
      [balanceTopic, this.#history.balances],
    ]);
    await this.#done("the logs are read", process, async () => {
      for (const [name, count] of topicsOf(this.#scenario)) {
        const log = await readToEnd(client, { topic: name, partitions: count });
        for (const [partition, records] of log) histories.get(name)!.log.set(partition, records);
      }
      for (const protocol of new Set(this.#scenario.protocols)) {
        const group = groupOf[protocol];
        for (const { partition, offset } of await client.groups().offsets(group)) {
          groupEnds.push({ group, partition, committed: offset });
        }
      }
    });
  }

  async #done(what: string, process: SimProcess, work: () => Promise<void>): Promise<void> {
    let isDone = false;
    let failure: unknown;
    process.clock.after(0, () => {
      work()
        .catch((error: unknown) => {
          failure = error ?? new Error(what);
        })
        .finally(() => {
          isDone = true;
        });
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
