// The brokers of a simulation: machines with disks on which server processes start, stop, die and stand still.

import type { PartitionRecord } from "../../cluster/control-plane.ts";
import { type ClusterMember, openClusterMember } from "../../cluster/member.ts";
import type { TopicPartition } from "../../runtime/broker.ts";
import { BrokerConfig } from "../../runtime/config.ts";
import { logSuffix, partitionOf } from "../../runtime/log/log-files.ts";
import { clusterFiles } from "../../runtime/platforms/cluster-files.ts";
import { createServer, type JoinCluster, type Server } from "../../runtime/server.ts";
import { Log } from "../../runtime/telemetry/logger.ts";
import type { LookedAt } from "./committed-checks.ts";
import { type DiskFaults, healthyDisk, SimDisk } from "./disk.ts";
import { type CrashKind, DiskState, folderOf } from "./disk-state.ts";
import { type Host, SimProcess } from "./process.ts";
import { Kind } from "./scheduler.ts";
import { simPlatform } from "./sim-platform.ts";
import type { World } from "./world.ts";

export const brokerPort = 9092;

export type BrokerState = "off" | "starting" | "running" | "stopping";

/** One machine with a broker. */
export class BrokerHost implements Host {
  readonly id: number;
  readonly name: string;
  isUp = true;
  wallOffsetMs = 0;
  state: BrokerState = "off";
  server: Server | undefined;
  /** Its control plane, before the server is ready. */
  member: ClusterMember | undefined;
  process: SimProcess | undefined;
  disk: SimDisk | undefined;
  readonly faults: DiskFaults = healthyDisk();
  /** Its disk failed under it: only a restart helps. */
  isBroken = false;
  /** Belongs to the cluster. */
  isMember = true;
  /** It is being emptied. */
  isLeaving = false;
  /** Nothing is left on it: it stops for good. */
  isEmptied = false;
  /** What the disk holds while no process uses it. */
  #left = new DiskState();
  /** How often it has started. */
  incarnation = 0;

  constructor(id: number) {
    this.id = id;
    this.name = `b${id}`;
  }

  get isRunning(): boolean {
    return this.state === "running";
  }

  /** The disk as it is now, whoever uses it. */
  get files(): DiskState {
    return this.disk?.state ?? this.#left;
  }

  take(process: SimProcess, disk: SimDisk): void {
    this.process = process;
    this.disk = disk;
    this.incarnation++;
    this.isBroken = false;
    this.state = "starting";
  }

  newDisk(process: SimProcess): SimDisk {
    return new SimDisk(process, this.#left, this.faults);
  }

  gone(kind: CrashKind): void {
    if (this.disk) this.#left = this.disk.after(kind);
    this.server = undefined;
    this.member = undefined;
    this.process = undefined;
    this.disk = undefined;
    this.state = "off";
  }

  wipe(): void {
    this.#left = new DiskState();
  }

  /** The cluster has forgotten it: the machine is the spare one now. */
  retire(): void {
    this.wipe();
    this.isMember = false;
    this.isLeaving = false;
    this.isEmptied = false;
  }
}

export interface BrokersOptions {
  readonly count: number;
  readonly hasSpare: boolean;
  readonly configs: Readonly<Record<string, string>>;
  /** Absent: drawn. */
  readonly sessionMs?: number | undefined;
}

export interface IsrNews {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  readonly isr: readonly number[];
  readonly before: { readonly leader: number; readonly isr: readonly number[] };
}

export class Brokers {
  /** With the spare one. */
  readonly all: readonly BrokerHost[];
  /** Told of each ISR that a broker hears of, and of the one before. */
  heardOf: ((host: BrokerHost, change: IsrNews) => void) | undefined;
  /** For those who only look: each record heard of, each log that got shorter, each broker about to die. */
  onHeard: ((place: TopicPartition, record: PartitionRecord) => void) | undefined;
  onCut: ((place: TopicPartition) => void) | undefined;
  onCrash: ((host: LookedAt) => void) | undefined;
  readonly #world: World;
  readonly #configs: Readonly<Record<string, string>>;
  readonly #sessionMs: number;

  constructor(world: World, options: BrokersOptions) {
    const { count, hasSpare, configs } = options;
    this.#world = world;
    this.#configs = configs;
    const drawnMs = world.random.fork("session").pick([400, 1_500]);
    this.#sessionMs = options.sessionMs ?? drawnMs;
    const machines = count + (hasSpare ? 1 : 0);
    this.all = Array.from({ length: machines }, (_, index) => new BrokerHost(index + 1));
    for (const host of this.all) host.isMember = host.id <= count;
  }

  /** The cluster's. */
  get hosts(): BrokerHost[] {
    return this.all.filter(({ isMember }) => isMember);
  }

  get isShrinking(): boolean {
    return this.all.some(({ isLeaving }) => isLeaving);
  }

  get running(): BrokerHost[] {
    return this.hosts.filter(({ isRunning }) => isRunning);
  }

  start(host: BrokerHost): void {
    if (host.state !== "off" || !host.isMember || host.isEmptied) return;
    const world = this.#world;
    if (!host.isUp) {
      host.isUp = true;
      world.links.powerOn(host.name);
    }
    const random = world.random.fork(host.name);
    const number = host.id;
    const process = new SimProcess(world.scheduler, { name: host.name, number, host, random });
    const disk = host.newDisk(process);
    disk.onCut = (path) => this.#cut(path);
    host.take(process, disk);
    world.trace(host.name, `starts (${host.incarnation})`);
    world.scheduler.after(0, process, Kind.test, () => {
      this.#serve(host, process, disk).then(
        (server) => {
          if (host.process !== process) return;
          host.server = server;
          host.state = "running";
          void server.failed.then(() => {
            host.isBroken = host.process === process;
          });
        },
        (error: unknown) => {
          if (host.process !== process) return;
          world.trace(host.name, `does not start: ${String(error)}`);
          process.end();
          host.gone("kill");
        },
      );
    });
  }

  /** SIGKILL, or the plug: no code of it runs any more. */
  crash(host: BrokerHost, kind: CrashKind): void {
    const { process } = host;
    if (process === undefined) return;
    this.onCrash?.(host);
    this.#world.trace(host.name, kind === "power" ? "loses its power" : "is killed");
    if (kind === "power") {
      host.isUp = false;
      this.#world.links.powerOff(host.name);
    }
    process.end();
    host.gone(kind);
  }

  /** The same, but in the middle of what it does, at its disk's step number `steps` from now on. */
  crashAtStep(host: BrokerHost, kind: CrashKind, steps: number): void {
    host.disk?.crashAt(steps, kind, () => this.crash(host, kind));
  }

  /** An administrator asks this broker's control plane; what comes of it is seen in the cluster. */
  ask(host: BrokerHost, question: (member: ClusterMember) => Promise<unknown>): void {
    const { process, member } = host;
    if (process === undefined || member === undefined) return;
    this.#world.scheduler.after(0, process, Kind.test, () => {
      question(member).catch((error: unknown) => {
        this.#world.trace(host.name, `is asked in vain: ${String(error)}`);
      });
    });
  }

  /** SIGTERM: hands over, flushes, says that it stopped cleanly. */
  stop(host: BrokerHost): void {
    const { server, process } = host;
    if (server === undefined || process === undefined || host.state !== "running") return;
    this.#world.trace(host.name, "stops");
    host.state = "stopping";
    const ended = () => {
      if (host.process !== process) return;
      this.#world.trace(host.name, "has stopped");
      process.end();
      host.gone("kill");
    };
    this.#world.scheduler.after(0, process, Kind.test, () => {
      server.close().then(ended, (error: unknown) => {
        this.#world.trace(host.name, `stopped with ${String(error)}`);
        ended();
      });
    });
  }

  async #serve(host: BrokerHost, process: SimProcess, disk: SimDisk): Promise<Server> {
    const world = this.#world;
    const { network, core } = world;
    const platform = simPlatform({ process, network, core, storage: disk });
    const values = {
      "node.id": String(host.id),
      listeners: `PLAINTEXT://${host.name}:${brokerPort}`,
      "timberline.http.enable": "false",
      ...this.#configs,
    };
    const set = new Map(
      Object.entries(values).map(([name, text]) => [name, { text, place: "simulation" }]),
    );
    const write = (line: string) => world.trace(host.name, line.trim());
    const level = world.isTraced ? "info" : "error";
    const log = new Log({ clock: platform.clock, level, format: "text", write });
    return createServer({
      platform,
      config: new BrokerConfig({ set }),
      logger: log.logger(),
      storage: disk,
      ...(this.all.length > 1 ? { joinCluster: this.#joiner(host, process) } : {}),
    });
  }

  #cut(path: string): void {
    const place = path.endsWith(logSuffix) ? partitionOf(folderOf(path)) : undefined;
    if (place) this.onCut?.(place);
  }

  #joiner(host: BrokerHost, process: SimProcess): JoinCluster {
    return async ({ peers, clusterId, storage, brokerId }) => {
      const member = await openClusterMember({
        log: this.#world.metadata.open(process),
        peers,
        clock: process.clock,
        random: process.random,
        files: clusterFiles(storage),
        brokerId,
        settings: { sessionMs: this.#sessionMs, heartbeatMs: this.#sessionMs / 5 },
        ...(clusterId === undefined ? {} : { clusterId }),
      });
      host.member = member;
      this.#watch(host, process, member);
      return { controlPlane: member, answer: (question, from) => member.answer(question, from) };
    };
  }

  #watch(host: BrokerHost, process: SimProcess, member: ClusterMember): void {
    const known = new Map<string, PartitionRecord>();
    member.watch((change) => {
      if (change.kind !== "topic-changed" && change.kind !== "topic-created") return;
      const { name, partitions } = change.topic;
      for (const record of partitions) {
        const key = `${name}-${record.partition}`;
        const before = known.get(key);
        if (before === record) continue;
        known.set(key, record);
        this.onHeard?.({ topic: name, partition: record.partition }, record);
        const { partition, leader, leaderEpoch, isr, elr } = record;
        if (this.#world.isTraced) {
          const what = `${key} leader ${leader} epoch ${leaderEpoch}`;
          this.#world.trace(process.name, `hears of ${what} isr ${isr} elr ${elr}`);
        }
        if (before) this.heardOf?.(host, { topic: name, partition, leader, isr, before });
      }
    });
  }
}
