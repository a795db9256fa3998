// What cases work with: the two brokers under test, started when first asked for and kept; rounds in which both
// sides do the same in turn; and the sizes of the loads.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { natsServerProgram, TestNats } from "../support/nats-server.ts";
import { BrokerProcess, type Side } from "./broker-process.ts";
import { type ClusterLaunch, ClusterProcess } from "./cluster-process.ts";
import { kafka, kafkaNodes } from "./kafka.ts";
import type { Measure, Target } from "./measure.ts";
import { allCores, type Cores, childrenCpuSeconds, pinMyself } from "./process-figures.ts";
import { findRdkafka } from "./rdkafka.ts";
import {
  type Flush,
  type TimberlineKind,
  timberline,
  timberlineBrokers,
  timberlineNodes,
} from "./timberline.ts";

export interface BenchOptions {
  readonly rounds: number;
  readonly sides: readonly Side[];
  /** Of every load's full size. */
  readonly scale: number;
  readonly folder: string;
  readonly entry: string;
  readonly cores: Cores | undefined;
  readonly progress: (line: string) => void;
}

/** What one side did in one round: figures by name. */
export type Figures = Readonly<Record<string, number>>;
export type Rounds = { readonly [side in Side]: readonly Figures[] };

/** One fsync per acknowledgement, or none. */
type Durability = "page-cache" | "fsync";

const clusterSize = 3;

const durabilities: { [name in Durability]: { flush: Flush; properties: Record<string, string> } } =
  {
    "page-cache": { flush: "os", properties: {} },
    fsync: { flush: "group", properties: { "log.flush.interval.messages": "1" } },
  };

export class Bench {
  readonly options: BenchOptions;
  readonly versions = new Map<Side, string>();
  readonly rdkafka = findRdkafka();
  readonly #running = new Map<string, BrokerProcess>();
  readonly #clusters = new Map<string, ClusterProcess>();
  readonly #all: (BrokerProcess | ClusterProcess)[] = [];
  #count = 0;

  constructor(options: BenchOptions) {
    this.options = options;
  }

  /** A name no topic had before. */
  topicName(): string {
    this.#count++;
    return `bench-${this.#count}`;
  }

  scaled(size: number): number {
    return Math.ceil(size * this.options.scale);
  }

  /** The side's broker of that durability, running; the same one for all cases. */
  async broker(side: Side, durability: Durability): Promise<BrokerProcess> {
    const name = `${side}-${durability}`;
    const known = this.#running.get(name);
    if (known !== undefined) return known;
    const broker = await this.newBroker(side, durability);
    this.options.progress(`starting ${side} (${durability})`);
    await broker.start();
    this.#running.set(name, broker);
    return broker;
  }

  /** A broker on a new folder, not started; its user discards it. */
  async newBroker(side: Side, durability: Durability): Promise<BrokerProcess> {
    const folder = this.#newFolder(side);
    const { flush, properties } = durabilities[durability];
    const launch =
      side === "kafka"
        ? await kafka({ folder, properties })
        : await timberline({ folder, flush, entry: this.options.entry });
    this.versions.set(side, launch.version);
    const broker = new BrokerProcess(launch, this.options.cores);
    this.#all.push(broker);
    return broker;
  }

  /** Three brokers of that side, running; the same ones for all cases. */
  async cluster(side: Side, kind: TimberlineKind): Promise<ClusterProcess> {
    const name = side === "kafka" ? side : kind;
    const known = this.#clusters.get(name);
    if (known !== undefined) return known;
    this.options.progress(`starting three brokers of ${side} (${name})`);
    const cluster = await this.newCluster(
      side === "kafka" ? await this.#kafkaCluster() : await this.#timberlineCluster(kind),
    );
    this.#clusters.set(name, cluster);
    return cluster;
  }

  /** Several brokers and the load share all cores: pinned to half of them, most would only wait for each other. */
  async onAllCores<T>(run: () => Promise<T>): Promise<T> {
    const { cores } = this.options;
    if (cores === undefined) return run();
    pinMyself(allCores());
    try {
      return await run();
    } finally {
      pinMyself(cores);
    }
  }

  /** Running, on all cores; ends with the bench, or when its user discards it. */
  async newCluster(launch: ClusterLaunch): Promise<ClusterProcess> {
    const cluster = new ClusterProcess(launch, this.options.cores && allCores());
    this.#all.push(cluster);
    this.versions.set(launch.side, launch.launches[0]!.version);
    await cluster.start();
    return cluster;
  }

  /** Brokers behind one command. */
  async brokersOnOneMachine(count: number): Promise<ClusterLaunch> {
    const folder = this.#newFolder("timberline");
    const options = { folder, flush: "os", entry: this.options.entry } as const;
    const launch =
      count > 1 ? await timberlineBrokers({ ...options, count }) : await timberline(options);
    return { side: "timberline", brokers: count, launches: [launch] };
  }

  async #timberlineCluster(kind: TimberlineKind): Promise<ClusterLaunch> {
    if (kind === "brokers") return this.brokersOnOneMachine(clusterSize);
    const program = await natsServerProgram();
    if (program === undefined) throw new Error("nats-server is missing: set NATS_SERVER");
    const nats = await TestNats.start({ program });
    const { entry } = this.options;
    const folder = this.#newFolder("timberline");
    const place = { folder, flush: "os", entry, natsUrl: nats.urls[0]! } as const;
    const launches = await timberlineNodes({ ...place, count: clusterSize });
    return { side: "timberline", brokers: clusterSize, launches, end: () => nats.stop() };
  }

  async #kafkaCluster(): Promise<ClusterLaunch> {
    const folder = this.#newFolder("kafka");
    const launches = await kafkaNodes({ folder, count: clusterSize });
    return { side: "kafka", brokers: clusterSize, launches };
  }

  #newFolder(side: Side): string {
    this.#count++;
    return join(this.options.folder, `${side}-${this.#count}`);
  }

  /**
   * Rounds in which the sides take turns, the first one alternating. `kafkaRounds`: fewer for Kafka, where only
   * Timberline's figure has a target and Kafka needs minutes.
   */
  async rounds(
    what: string,
    run: (side: Side) => Promise<Figures>,
    options: { rounds?: number; kafkaRounds?: number } = {},
  ): Promise<Rounds> {
    const { rounds = this.options.rounds, kafkaRounds = rounds } = options;
    const found: { [side in Side]: Figures[] } = { timberline: [], kafka: [] };
    for (let round = 1; round <= rounds; round++) {
      const { sides } = this.options;
      for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
        if (side === "kafka" && round > kafkaRounds) continue;
        const figures = await run(side);
        found[side].push(figures);
        this.options.progress(`${what} ${round}/${rounds} ${side}: ${text(figures)}`);
      }
    }
    return found;
  }

  /** Kills what still runs and removes all data. */
  async end(): Promise<void> {
    for (const broker of this.#all) await broker.discard();
    this.removeData();
  }

  removeData(): void {
    rmSync(this.options.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Runs `work` and adds what it cost: share of a core that load and server used, server's CPU seconds. */
export async function withCpu(
  broker: { cpuSeconds(): number | undefined },
  work: () => Promise<Figures>,
): Promise<Figures> {
  const serverBefore = broker.cpuSeconds() ?? 0;
  const loadBefore = loadSeconds();
  const startedMs = performance.now();
  const figures = await work();
  const seconds = (performance.now() - startedMs) / 1000;
  const serverCpu = (broker.cpuSeconds() ?? 0) - serverBefore;
  const loadCpu = loadSeconds() - loadBefore;
  return {
    ...figures,
    serverCpuSeconds: serverCpu,
    serverBusy: serverCpu / seconds,
    loadBusy: loadCpu / seconds,
  };
}

/** Of rounds that found `p50` and `p99`. */
export function latencyMeasures(rounds: Rounds, name: string, target: Target): Measure[] {
  return ["p50", "p99"].map((part) => ({
    name: `${name}, ${part}`,
    unit: "ms",
    target,
    samples: samples(rounds, part),
    note: "",
  }));
}

/** The column of one figure. */
export function samples(rounds: Rounds, name: string): { timberline: number[]; kafka: number[] } {
  const column = (side: Side) =>
    rounds[side].map((figures) => figures[name]).filter((value) => value !== undefined);
  return { timberline: column("timberline"), kafka: column("kafka") };
}

function loadSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + (childrenCpuSeconds() ?? 0);
}

function text(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`)
    .join(", ");
}
