// What cases work with: the two brokers under test, started when first asked for and kept; rounds in which both
// sides do the same in turn; and the sizes of the loads.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { BrokerProcess, type Side } from "./broker-process.ts";
import { kafka } from "./kafka.ts";
import { type Cores, childrenCpuSeconds } from "./process-figures.ts";
import { findRdkafka } from "./rdkafka.ts";
import { type Flush, timberline } from "./timberline.ts";

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
  readonly #all: BrokerProcess[] = [];
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
    this.#count++;
    const folder = join(this.options.folder, `${side}-${this.#count}`);
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
  broker: BrokerProcess,
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
