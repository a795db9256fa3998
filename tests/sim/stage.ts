// What a plot may do and see: a few words for brokers that leave, come back, are cut off, and for waiting until the
// cluster has come to a certain point.

import type { PartitionRecord } from "../../cluster/control-plane.ts";
import type { BrokerHost, Brokers } from "./cluster.ts";
import type { CrashKind } from "./disk-state.ts";
import type { Nemesis } from "./nemesis.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { partitions, topic } from "./workload.ts";
import type { World } from "./world.ts";

const lookEveryMs = 3;
const giveMsMax = 1_000;

export class Stage {
  readonly world: World;
  readonly brokers: Brokers;
  readonly random: SeededRandom;
  readonly #nemesis: Nemesis;

  constructor(nemesis: Nemesis) {
    this.world = nemesis.world;
    this.brokers = nemesis.brokers;
    this.random = nemesis.random;
    this.#nemesis = nemesis;
  }

  wait(fromMs: number, toMs = fromMs): Promise<void> {
    const delayMs = this.random.between(fromMs, toMs);
    return new Promise((resolve) => this.world.after(delayMs, resolve));
  }

  /** False: it did not come to that. */
  async until(holds: () => boolean, msMax: number): Promise<boolean> {
    const endMs = this.world.scheduler.nowMs + msMax;
    while (!holds()) {
      if (this.world.scheduler.nowMs >= endMs) return false;
      await this.wait(lookEveryMs);
    }
    return true;
  }

  say(what: string): void {
    this.world.trace("!!", what);
  }

  // ---- who is who ----

  /** All brokers, in an order that the seed draws. */
  shuffled(): BrokerHost[] {
    const hosts = this.brokers.hosts;
    for (let i = hosts.length - 1; i > 0; i--) {
      const other = this.random.integer(i + 1);
      [hosts[i], hosts[other]] = [hosts[other]!, hosts[i]!];
    }
    return hosts;
  }

  host(id: number): BrokerHost | undefined {
    return this.brokers.running.find((host) => host.id === id);
  }

  get isFlushedByOs(): boolean {
    return !this.#nemesis.options.mayLosePower;
  }

  get controller(): BrokerHost | undefined {
    const versionOf = ({ member }: BrokerHost) => member?.status().version ?? -1;
    const [newest] = [...this.brokers.running].sort((a, b) => versionOf(b) - versionOf(a));
    return newest && this.host(newest.server!.broker.cluster().controllerId);
  }

  /** A partition that `fits`, its leader, and the two others. */
  cast(
    fits: (leader: BrokerHost) => boolean = () => true,
  ): { partition: number; leader: BrokerHost; others: [BrokerHost, BrokerHost] } | undefined {
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    const found = all.flatMap((partition) => {
      const leader = this.host(this.newest(partition)?.leader ?? -1);
      return leader && fits(leader) ? [{ partition, leader }] : [];
    });
    if (found.length === 0) return undefined;
    const { partition, leader } = this.random.pick(found);
    const [a, b] = this.shuffled().filter((host) => host !== leader);
    return a && b ? { partition, leader, others: [a, b] } : undefined;
  }

  /** As a broker knows it. */
  recordOf(host: BrokerHost, partition: number): PartitionRecord | undefined {
    return host.server?.broker.cluster().topics.get(topic)?.partitions[partition];
  }

  newest(partition: number): PartitionRecord | undefined {
    return this.brokers.running
      .flatMap((host) => this.recordOf(host, partition) ?? [])
      .sort((a, b) => b.partitionEpoch - a.partitionEpoch)[0];
  }

  isInSync(host: BrokerHost, partition: number): boolean {
    return this.newest(partition)?.isr.includes(host.id) === true;
  }

  endOf(host: BrokerHost, partition: number): number {
    return host.server?.broker.describePartition({ topic, partition }).logEndOffset ?? -1;
  }

  highWatermarkOf(host: BrokerHost, partition: number): number {
    return host.server?.broker.describePartition({ topic, partition }).highWatermark ?? -1;
  }

  // ---- what happens to them ----

  /** An administrator gives the partition to one of its in-sync replicas. */
  async give(partition: number, to: BrokerHost): Promise<boolean> {
    const asked = this.controller;
    const now = this.newest(partition);
    if (asked === undefined || now === undefined) return false;
    const replicas = [to.id, ...now.replicas.filter((id) => id !== to.id)];
    this.brokers.ask(asked, (member) => member.reassign([{ topic, partition, replicas }]));
    await this.until(() => this.newest(partition)?.replicas[0] === to.id, giveMsMax);
    const question = { kind: "preferred", partitions: [{ topic, partition }] } as const;
    this.brokers.ask(asked, (member) => member.electLeaders(question));
    return this.until(() => this.newest(partition)?.leader === to.id, giveMsMax);
  }

  crash(host: BrokerHost, kind: CrashKind): void {
    this.brokers.crash(host, kind);
  }

  wipe(host: BrokerHost): void {
    this.brokers.crash(host, "kill");
    host.wipe();
    this.say(`${host.name} is wiped`);
  }

  start(host: BrokerHost): void {
    this.brokers.start(host);
  }

  /** At the end of the act at the latest they reach each other again. */
  cut(a: string, b: string): () => void {
    const { links } = this.world;
    const heal = this.#nemesis.until(() => {
      links.heal(a, b);
      links.heal(b, a);
    });
    links.cut(a, b);
    links.cut(b, a);
    this.say(`${a} and ${b} are cut off`);
    return heal;
  }

  /** What `from` sends does not arrive; what it gets does. */
  cutOneWay(from: string, to: string): void {
    const { links } = this.world;
    links.cut(from, to);
    this.#nemesis.until(() => links.heal(from, to));
    this.say(`nothing gets from ${from} to ${to}`);
  }

  slow(from: string, to: string, ms: number): () => void {
    const { links } = this.world;
    links.slow(from, to, ms);
    return this.#nemesis.until(() => links.slow(from, to, 0));
  }

  late(host: BrokerHost, ms: number): () => void {
    const { lagMs } = this.world.metadata;
    lagMs.set(host.name, ms);
    return this.#nemesis.until(() => void lagMs.delete(host.name));
  }

  slowDisk(host: BrokerHost, syncMs: readonly [from: number, to: number]): () => void {
    const before = host.faults.syncMs;
    host.faults.syncMs = syncMs;
    return this.#nemesis.until(() => {
      host.faults.syncMs = before;
    });
  }
}
