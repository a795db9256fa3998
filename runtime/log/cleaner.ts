// The log cleaner: looks for compacted logs that are worth cleaning, takes the dirtiest, one at a time, and
// remembers how far each is clean in Kafka's `cleaner-offset-checkpoint`. It gives way: after each piece of work it
// waits as the event loop is busy, and never reads and writes more than it may. Called by `log-folder.ts`.

import type { Core } from "../../storage-wasm/core.ts";
import type { Clock, Codecs, Random, Timer } from "../platform.ts";
import { type Storage, StorageError } from "../storage/storage.ts";
import type { LogMetrics } from "../telemetry/metrics.ts";
import { type CompactionPlan, planCompaction } from "./compaction-plan.ts";
import { readCleanedOffsets, writeCleanedOffsets } from "./folder-identity.ts";
import { compactLog } from "./log-compaction.ts";
import { partitionFolder } from "./log-files.ts";
import type { Partition } from "./partition.ts";

/** An event loop that comes back later than this has other work: then most of the time is left to it. */
const busyAfterMs = 2;
/** Of its own working time, how long the cleaner then rests. */
const restPerWork = 4;
/** Logs cleaned in one round, so that a round ends. */
const logsPerRoundMax = 10_000;
const fullRetryMs = 300_000;

export interface CleanerSettings {
  readonly isEnabled: boolean;
  readonly backoffMs: number;
  readonly mapBytesMax: number;
  /** Reading and writing together; Infinity: no limit. */
  readonly bytesPerSecondMax: number;
}

export interface CleanerOptions {
  readonly storage: Storage;
  readonly core: Core;
  readonly codecs: Codecs;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: LogMetrics;
  readonly partitions: () => Iterable<Partition>;
  readonly settings: () => CleanerSettings;
  /** A log that cannot be cleaned: told once, and left alone until the next start. */
  readonly report: (folder: string, error: unknown) => void;
}

/** The cleaner was closed: thrown out of its own work, never further. */
class Stopped extends Error {}

export class Cleaner {
  readonly #options: CleanerOptions;
  readonly #cleaned: Map<string, number>;
  /** Logs that failed. */
  readonly #left = new Set<string>();
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #isClosed = false;
  #workedFromMs = 0;

  constructor(options: CleanerOptions) {
    this.#options = options;
    this.#cleaned = new Map(readCleanedOffsets(options.storage));
  }

  /** Cleans what is due every now and then. */
  start(): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.clock.after(this.#options.settings().backoffMs, () => {
      void this.run().finally(() => this.start());
    });
  }

  /** Ends the work that is under way; nothing of it is lost. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#round;
  }

  /** One round: everything that is due now. */
  run(): Promise<void> {
    this.#round ??= this.#runRound().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #runRound(): Promise<void> {
    for (let logs = 0; logs < logsPerRoundMax; logs++) {
      const next = this.#isClosed ? undefined : this.#dirtiest();
      if (next === undefined) return;
      await this.#clean(next.partition, next.plan);
    }
  }

  #dirtiest(): { partition: Partition; plan: CompactionPlan } | undefined {
    if (!this.#options.settings().isEnabled) return undefined;
    let found: { partition: Partition; plan: CompactionPlan } | undefined;
    for (const partition of this.#options.partitions()) {
      if (!partition.config.cleanupPolicy.compact || partition.fault) continue;
      if (this.#left.has(folderOf(partition))) continue;
      const plan = this.#plan(partition);
      if (plan?.isDue && plan.dirtyRatio > (found?.plan.dirtyRatio ?? -1)) {
        found = { partition, plan };
      }
    }
    return found;
  }

  #plan(partition: Partition): CompactionPlan | undefined {
    const { config } = partition;
    const rules = {
      cleanedOffset: this.#cleaned.get(folderOf(partition)) ?? -1,
      stableOffset: partition.lastStableOffset,
      minLagMs: config.minCompactionLagMs,
      maxLagMs: config.maxCompactionLagMs,
      dirtyRatioMin: config.minCleanableDirtyRatio,
    };
    return planCompaction(partition.log.segments, rules, this.#options.clock.nowMs());
  }

  async #clean(partition: Partition, plan: CompactionPlan): Promise<void> {
    const { core, codecs, clock, random, metrics, settings } = this.#options;
    const folder = folderOf(partition);
    const { mapBytesMax } = settings();
    const rest = (bytes: number) => this.#rest(partition, bytes);
    this.#workedFromMs = clock.monotonicMs();
    const startedMs = this.#workedFromMs;
    try {
      const parts = { core, codecs, clock, random, mapBytesMax, rest };
      const done = await compactLog(parts, partition, plan);
      if (done === undefined) return;
      this.#cleaned.set(folder, done.endOffset);
      this.#checkpoint();
      metrics.cleanerBytesRead += done.bytesRead;
      metrics.cleanerBytesFreed += done.bytesBefore - done.bytesAfter;
      metrics.cleanerRuns++;
      metrics.cleanerSeconds += (clock.monotonicMs() - startedMs) / 1000;
    } catch (error) {
      if (error instanceof Stopped) return;
      // A full disk may have room later, but not in this round.
      this.#left.add(folder);
      this.#options.report(folder, error);
      if (isFull(error)) this.#options.clock.after(fullRetryMs, () => this.#left.delete(folder));
    }
  }

  async #rest(partition: Partition, bytes: number): Promise<void> {
    const { clock, settings } = this.#options;
    const beganMs = clock.monotonicMs();
    const workedMs = beganMs - this.#workedFromMs;
    await this.#sleep(0);
    const lateMs = clock.monotonicMs() - beganMs;
    const byRate = (bytes / settings().bytesPerSecondMax) * 1000 - workedMs - lateMs;
    const byLoad = lateMs > busyAfterMs ? workedMs * restPerWork - lateMs : 0;
    const wantedMs = Math.max(byRate, byLoad);
    if (wantedMs >= 1) await this.#sleep(wantedMs);
    if (this.#isClosed || partition.fault) throw new Stopped();
    this.#workedFromMs = clock.monotonicMs();
  }

  #sleep(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      if (ms > 0) clock.after(ms, resolve);
      else clock.soon(resolve);
    });
  }

  #checkpoint(): void {
    const entries = [];
    for (const { topic, partition } of this.#options.partitions()) {
      const offset = this.#cleaned.get(partitionFolder(topic, partition));
      if (offset !== undefined) entries.push({ topic, partition, offset });
    }
    writeCleanedOffsets(this.#options.storage, entries);
  }
}

function folderOf({ topic, partition }: Partition): string {
  return partitionFolder(topic, partition);
}

function isFull(error: unknown): boolean {
  return error instanceof StorageError && error.fault === "full";
}
