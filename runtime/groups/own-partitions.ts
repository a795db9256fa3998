// OwnPartitions: the part of __consumer_offsets that this broker leads. Loads what it comes to lead, in the background,
// drops what it leads no more, and knows of every group whether it can be served, is still being read, or is not
// here. Used by `coordinator.ts`.

import type { ClusterState, ControlPlane } from "../../cluster/control-plane.ts";
import { BrokerError } from "../errors.ts";
import type { Clock } from "../platform.ts";
import type { GroupMetrics } from "../telemetry/metrics.ts";
import { offsetsTopic } from "../topic-name.ts";
import type { GroupTable } from "./group-table.ts";
import type { OffsetsLog } from "./offsets-log.ts";

export interface OwnPartitionsOptions {
  readonly platform: { readonly clock: Clock };
  readonly controlPlane: ControlPlane;
  readonly brokerId: number;
  readonly metrics: GroupMetrics;
  createOffsetsTopic(): Promise<void>;
  report(event: GroupEvent): void;
}

export type GroupEvent =
  | {
      readonly kind: "loaded";
      readonly partitions: number;
      readonly groups: number;
      readonly offsets: number;
      readonly bytes: number;
      readonly tookMs: number;
    }
  | { readonly kind: "loading"; readonly partitions: number; readonly done: number }
  | { readonly kind: "failed"; readonly context: string; readonly error: unknown };

interface PartitionState {
  /** Leadership under which it was read: another one may have written since. */
  readonly leaderEpoch: number;
  stage: "loading" | "ready" | "failed";
}

/** A load that takes longer says how far it is, this often. */
const progressEveryMs = 2_000;

export class OwnPartitions {
  readonly #options: OwnPartitionsOptions;
  readonly #log: OffsetsLog;
  readonly #table: GroupTable;
  readonly #states = new Map<number, PartitionState>();
  #creating: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: OwnPartitionsOptions, log: OffsetsLog, table: GroupTable) {
    this.#options = options;
    this.#log = log;
    this.#table = table;
  }

  /** Takes over what this broker leads by now, and drops what it does not; never rejects. */
  follow(): Promise<void> {
    return this.#load(this.#take());
  }

  close(): void {
    this.#isClosed = true;
    this.drop();
  }

  get isLoading(): boolean {
    return [...this.#states.values()].some(({ stage }) => stage === "loading");
  }

  isReady(index: number): boolean {
    return this.#states.get(index)?.stage === "ready";
  }

  async find(groupId: string): Promise<number> {
    if (this.#topic() === undefined) {
      this.#creating ??= this.#create().finally(() => {
        this.#creating = undefined;
      });
      await this.#creating;
    }
    const record = this.#topic()?.partitions[this.#table.partitionOf(groupId)];
    if (record !== undefined && record.leader >= 0) return record.leader;
    throw new BrokerError("COORDINATOR_NOT_AVAILABLE", `${offsetsTopic} has no leader for it now`);
  }

  /** Whatever keeps the topic from being made, clients know one word for it and ask again. */
  async #create(): Promise<void> {
    try {
      await this.#options.createOffsetsTopic();
    } catch (cause) {
      if (!(cause instanceof BrokerError)) throw cause;
      const message = `${offsetsTopic} cannot be made: ${cause.message}`;
      throw new BrokerError("COORDINATOR_NOT_AVAILABLE", message, { cause });
    }
  }

  /** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR. */
  requireLoaded(groupId: string): void {
    const stage = this.#states.get(this.#table.partitionOf(groupId))?.stage;
    if (stage === "ready") return;
    if (stage === "loading") throw loadInProgress();
    throw stage === "failed"
      ? new BrokerError("COORDINATOR_NOT_AVAILABLE", "the group could not be read: see the log")
      : new BrokerError("NOT_COORDINATOR", `broker ${this.#options.brokerId} has not this group`);
  }

  #cluster(): ClusterState {
    return this.#options.controlPlane.state();
  }

  #topic() {
    return this.#cluster().topics.get(offsetsTopic);
  }

  /** Drops partitions whose leadership ended, and returns those that have to be read. */
  #take(): number[] {
    const topic = this.#topic();
    if (topic === undefined || this.#isClosed) return [];
    this.#table.partitions = topic.partitions.length;
    const toRead: number[] = [];
    for (const { partition: index } of topic.partitions) {
      const led = this.#log.led(index);
      const known = this.#states.get(index);
      if (led?.leaderEpoch === known?.leaderEpoch) continue;
      if (known !== undefined) this.#table.forget(index);
      this.#states.delete(index);
      if (led === undefined) continue;
      this.#states.set(index, {
        leaderEpoch: led.leaderEpoch,
        stage: led.isEmpty ? "ready" : "loading",
      });
      if (!led.isEmpty) toRead.push(index);
    }
    return toRead;
  }

  /** Forgets everything: the topic is gone, or the broker stops. */
  drop(): void {
    for (const partition of this.#states.keys()) this.#table.forget(partition);
    this.#states.clear();
    this.#table.partitions = 0;
  }

  async #load(indexes: readonly number[]): Promise<void> {
    const { clock } = this.#options.platform;
    const startedMs = clock.monotonicMs();
    let saidMs = startedMs;
    let bytes = 0;
    let done = 0;
    for (const index of indexes) {
      if (this.#isClosed) return;
      bytes += await this.#loadPartition(index);
      done++;
      if (clock.monotonicMs() - saidMs < progressEveryMs) continue;
      saidMs = clock.monotonicMs();
      this.#options.report({ kind: "loading", partitions: indexes.length, done });
    }
    const tookMs = clock.monotonicMs() - startedMs;
    this.#options.metrics.loadMs = tookMs;
    if (bytes === 0) return;
    const counts = this.#counts();
    const partitions = indexes.length;
    this.#options.report({ kind: "loaded", partitions, ...counts, bytes, tookMs });
  }

  async #loadPartition(index: number): Promise<number> {
    const state = this.#states.get(index);
    const isStopped = () => this.#isClosed || this.#states.get(index) !== state;
    if (state === undefined || state.stage !== "loading") return 0;
    try {
      const visit = this.#table.replay.bind(this.#table);
      const bytes = await this.#log.load(index, visit, isStopped);
      if (isStopped()) return bytes;
      state.stage = "ready";
      this.#table.resume(index);
      return bytes;
    } catch (error) {
      if (isStopped()) return 0;
      state.stage = "failed";
      const context = `reading ${offsetsTopic}-${index}`;
      this.#options.report({ kind: "failed", context, error });
      return 0;
    }
  }

  #counts(): { groups: number; offsets: number } {
    let groups = 0;
    let offsets = 0;
    for (const entry of this.#table.all()) {
      groups++;
      offsets += entry.offsets.size;
    }
    return { groups, offsets };
  }
}

export function loadInProgress(): BrokerError {
  return new BrokerError("COORDINATOR_LOAD_IN_PROGRESS", "the group is being read: try again");
}
