// A group that can change its protocol, with a clock in the test's hand and members of both protocols that do what
// their clients do: a classic one joins again when it is told of a rebalance, the other reports what it holds.

import type { ClusterState, TopicRecord } from "../../../cluster/control-plane.ts";
import { newPartition } from "../../../cluster/partition-record.ts";
import { BrokerConfig } from "../../../runtime/config.ts";
import {
  readAssignment,
  type TopicPartitions,
  writeAssignment,
} from "../../../runtime/consumer-protocol.ts";
import type { BrokerError } from "../../../runtime/errors.ts";
import type {
  ConsumerHeartbeat,
  JoinAnswer,
  JoinRequest,
} from "../../../runtime/group-coordinator.ts";
import type { GroupRecord } from "../../../runtime/groups/group-records.ts";
import type { Membership } from "../../../runtime/groups/group-table.ts";
import { Memberships } from "../../../runtime/groups/memberships.ts";
import { RecordWriter } from "../../../runtime/record-bytes.ts";
import { GroupMetrics } from "../../../runtime/telemetry/metrics.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { heartbeatOf } from "./heartbeat-request.ts";

export const sessionMs = 10_000;
export const rebalanceMs = 30_000;
const delayMs = 3000;
const topic = "t";
const topicId = "id-t";

export class MigrationScene {
  readonly clock: ManualClock;
  /** One per write. */
  readonly writes: (readonly GroupRecord[])[] = [];
  readonly memberships: Memberships;
  failure: Error | undefined;
  #ids = 0;

  constructor(settings: Record<string, string> = {}, clock = new ManualClock()) {
    this.clock = clock;
    const set = new Map(
      Object.entries(settings).map(([name, text]) => [name, { text, place: "--set" }]),
    );
    const config = new BrokerConfig({ set });
    const cluster = clusterWith(6);
    const random = { bytes: (count: number) => new Uint8Array(count).fill(++this.#ids) };
    this.memberships = new Memberships(
      {
        platform: { clock, random: { ...random, integer: () => 0 } },
        controlPlane: { state: () => cluster },
        metrics: new GroupMetrics(),
        config: () => config,
        report() {},
      },
      {
        append: (_partition, records) => {
          if (this.failure) throw this.failure;
          this.writes.push(records);
          return { baseOffset: 0, durable: undefined };
        },
      },
    );
    this.memberships.table.partitions = 1;
  }

  get group(): Membership {
    return this.memberships.table.get("g")!.group!;
  }

  get kinds(): string[] {
    return (this.writes.at(-1) ?? []).map(({ kind, value }) => (value ? kind : `no ${kind}`));
  }

  /** The same group after a restart. */
  reborn(settings: Record<string, string> = {}): MigrationScene {
    const scene = new MigrationScene(settings, this.clock);
    for (const record of this.writes.flat()) {
      scene.memberships.table.replay({
        kind: "record",
        record,
        place: { offset: 0, producerId: -1 },
      });
    }
    scene.memberships.table.resume(0);
    return scene;
  }

  beat(memberId: string, memberEpoch: number, more: Partial<ConsumerHeartbeat> = {}) {
    const request = heartbeatOf({ memberId, memberEpoch, ...more });
    return Promise.resolve().then(() => this.memberships.heartbeating(request).heartbeat(request));
  }

  beatJoin(memberId: string, more: Partial<ConsumerHeartbeat> = {}) {
    const asks = { rebalanceTimeoutMs: rebalanceMs, topicNames: [topic], owned: [] };
    return this.beat(memberId, 0, { ...asks, ...more });
  }

  /** A stable classic group of this many members. */
  async classicGroup(count: number, isCooperative = false): Promise<ClassicClient[]> {
    const clients = Array.from({ length: count }, () => new ClassicClient(this, isCooperative));
    const joining = clients.map((client) => client.join());
    await this.clock.advance(2 * delayMs);
    await Promise.all(joining);
    const leader = clients.find(({ memberId, leader }) => memberId === leader)!;
    const syncing = clients.filter((each) => each !== leader).map((each) => each.sync());
    await leader.sync(clients);
    await Promise.all(syncing);
    return clients;
  }
}

export class ClassicClient {
  memberId = "";
  generation = -1;
  leader = "";
  held: number[] = [];
  readonly #scene: MigrationScene;
  readonly #isCooperative: boolean;
  readonly #instanceId: string | null;

  constructor(scene: MigrationScene, isCooperative = false, instanceId: string | null = null) {
    this.#scene = scene;
    this.#isCooperative = isCooperative;
    this.#instanceId = instanceId;
  }

  async join(more: Partial<JoinRequest> = {}): Promise<JoinAnswer> {
    // An eager member gives everything back before it joins again.
    if (!this.#isCooperative) this.held = [];
    const owned: TopicPartitions[] = [{ topic, partitions: this.held }];
    const request: JoinRequest = {
      groupId: "g",
      memberId: this.memberId,
      groupInstanceId: this.#instanceId,
      clientId: "c",
      clientHost: "/127.0.0.1",
      sessionTimeoutMs: sessionMs,
      rebalanceTimeoutMs: rebalanceMs,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: subscription([topic], owned) }],
      needsMemberId: false,
      canSkipAssignment: false,
      ...more,
    };
    const answer = await this.#scene.memberships.joining(request)!.join(request);
    if (answer.error !== null) throw answer.error;
    this.memberId = answer.memberId;
    this.generation = answer.generation;
    this.leader = answer.leader;
    return answer;
  }

  /** As the leader: six partitions in runs, in the order of `clients`. */
  async sync(clients: readonly ClassicClient[] = []): Promise<readonly number[]> {
    const each = Math.ceil(6 / clients.length);
    const assignments = clients.map(({ memberId }, i) => {
      const partitions = [0, 1, 2, 3, 4, 5].slice(i * each, (i + 1) * each);
      return { memberId, assignment: writeAssignment(1, [{ topic, partitions }]) };
    });
    const { assignment } = await this.#scene.memberships
      .joined(this.#request)
      .sync({ ...this.#request, protocolType: "consumer", protocolName: "range", assignments });
    this.held = [...(readAssignment(assignment)?.[0]?.partitions ?? [])];
    return this.held;
  }

  /** "NONE", or what it is told. */
  beat(): string {
    try {
      const group = this.#scene.memberships.joined(this.#request);
      if (group.type === "classic") group.heartbeat(this.#request);
      else group.classicHeartbeat(this.#request);
      return "NONE";
    } catch (error) {
      return (error as BrokerError).code;
    }
  }

  /** What a client does with the answer to its heartbeat. */
  async live(): Promise<void> {
    if (this.beat() !== "REBALANCE_IN_PROGRESS") return;
    await this.join();
    await this.sync();
  }

  get #request() {
    const { memberId, generation } = this;
    return { groupId: "g", memberId, generation, groupInstanceId: this.#instanceId };
  }
}

export class ConsumerClient {
  readonly memberId: string;
  epoch = 0;
  held: number[] = [];
  readonly #scene: MigrationScene;

  constructor(scene: MigrationScene, memberId: string) {
    this.#scene = scene;
    this.memberId = memberId;
  }

  async live(): Promise<void> {
    const owned = this.held.length > 0 ? [{ topicId, partitions: this.held }] : [];
    const asks = { rebalanceTimeoutMs: rebalanceMs, topicNames: [topic], owned };
    const answer = await this.#scene.beat(this.memberId, this.epoch, asks);
    this.epoch = answer.memberEpoch;
    if (answer.assignment) this.held = [...(answer.assignment[0]?.partitions ?? [])];
  }

  async leave(): Promise<void> {
    await this.#scene.beat(this.memberId, -1);
    this.held = [];
  }
}

/** Partitions held by these, in order; twice what two hold. */
export function heldBy(clients: readonly { readonly held: readonly number[] }[]): number[] {
  return clients.flatMap(({ held }) => held).sort((a, b) => a - b);
}

/** Version 1 of what consumers say in JoinGroup. */
export function subscription(
  topics: readonly string[],
  owned: readonly TopicPartitions[],
): Uint8Array {
  const writer = new RecordWriter({ flexible: false });
  writer.int16(1);
  writer.count(topics.length);
  for (const name of topics) writer.string(name);
  writer.bytes(new Uint8Array(0));
  writer.count(owned.length);
  for (const { topic: name, partitions } of owned) {
    writer.string(name);
    writer.count(partitions.length);
    for (const partition of partitions) writer.int32(partition);
  }
  return writer.finish();
}

function clusterWith(partitions: number): ClusterState {
  const record: TopicRecord = {
    name: topic,
    id: topicId,
    partitions: Array.from({ length: partitions }, (_, each) => newPartition(each, [1])),
    configs: new Map(),
  };
  return {
    clusterId: "c",
    controllerId: 1,
    brokers: new Map(),
    topics: new Map([[topic, record]]),
    topicsById: new Map([[topicId, record]]),
    brokerConfigs: new Map(),
    groupConfigs: new Map(),
  };
}
