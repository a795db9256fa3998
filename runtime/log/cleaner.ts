// The log cleaner: looks for compacted logs that are worth cleaning, takes the dirtiest, one at a time, and
// remembers how far each is clean in Kafka's `cleaner-offset-checkpoint`. It gives way: after each piece of work it
// rests while the event loop is busy, and it never reads and writes more than it may. Called by `log-folder.ts`.

import type { Core } from "../../storage-wasm/core.ts";
import { BrokerError } from "../errors.ts";
import type { Clock, Codecs, Random, Timer } from "../platform.ts";
import { type Storage, StorageError } from "../storage/storage.ts";
import type { LogMetrics } from "../telemetry/metrics.ts";
import { type CompactionPlan, planCompaction } from "./compaction-plan.ts";
import {
  readCleanedOffsets,
  readCleaningOffsets,
  writeCleanedOffsets,
  writeCleaningOffsets,
} from "./folder-identity.ts";
import { compactLog, type Work } from "./log-compaction.ts";
import { partitionFolder } from "./log-files.ts";
import type { Partition } from "./partition.ts";

/** While requests come, a turn of the event loop that takes longer has some in it, which waited for the cleaner. */
const idleTurnMs = 0.1;
/** Requests come while one was answered so recently. Else a slow turn says only that the machine is busy. */
const requestedWithinMs = 100;
/** Then others get so many times what the piece took: a seventh of the time stays the cleaner's. */
const restPerWork = 6;
/** How long it sleeps at most before it asks again how much it may read and write. */
const throttleLookMs = 100;
/** Logs cleaned in one round, so that a round ends. */
const logsPerRoundMax = 10_000;
const retryMs = 300_000;

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
  /** Requests answered by the broker so far. */
  readonly requests: () => number;
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
  /** Up to where holes may be: recovery takes others for records that were lost. */
  readonly #cleaning: Map<string, number>;
  /** Logs that failed. */
  readonly #left = new Set<string>();
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #isClosed = false;
  #workedFromMs = 0;
  /** Answered so far, and when that was seen to grow. */
  #requests = 0;
  #requestedMs = Number.NEGATIVE_INFINITY;

  constructor(options: CleanerOptions) {
    this.#options = options;
    this.#cleaned = new Map(readCleanedOffsets(options.storage));
    this.#cleaning = new Map(readCleaningOffsets(options.storage));
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

  /** The partition is deleted: another of its name begins anew. */
  forget(partition: Partition): void {
    const folder = folderOf(partition);
    this.#left.delete(folder);
    if (this.#cleaning.delete(folder)) this.#write(this.#cleaning, writeCleaningOffsets);
    if (this.#cleaned.delete(folder)) this.#write(this.#cleaned, writeCleanedOffsets);
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
    let dirtyRatioMax = 0;
    for (const partition of this.#options.partitions()) {
      if (!partition.config.cleanupPolicy.compact || partition.fault) continue;
      if (this.#left.has(folderOf(partition))) continue;
      const plan = this.#planned(partition);
      dirtyRatioMax = Math.max(dirtyRatioMax, plan?.dirtyRatio ?? 0);
      if (plan?.isDue && plan.dirtyRatio > (found?.plan.dirtyRatio ?? -1)) {
        found = { partition, plan };
      }
    }
    const { metrics } = this.#options;
    metrics.cleanerDirtyRatioMax = dirtyRatioMax;
    metrics.cleanerUncleanable = this.#left.size;
    return found;
  }

  /** Undefined also where the files cannot be looked at. */
  #planned(partition: Partition): CompactionPlan | undefined {
    try {
      return this.#plan(partition);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#leave(folderOf(partition), error);
      return undefined;
    }
  }

  #leave(folder: string, error: unknown): void {
    this.#left.add(folder);
    this.#options.report(folder, error);
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
    const rest = ({ readBytes, writtenBytes }: Work) => {
      metrics.cleanerBytesRead += readBytes;
      return this.#rest(partition, readBytes + writtenBytes);
    };
    this.#workedFromMs = clock.monotonicMs();
    const startedMs = this.#workedFromMs;
    try {
      const holesUpTo = (endOffset: number) => this.#noteHoles(folder, endOffset);
      const parts = { core, codecs, clock, random, mapBytesMax, holesUpTo, rest };
      const done = await compactLog(parts, partition, plan);
      if (done === undefined) return;
      this.#cleaned.set(folder, done.endOffset);
      this.#write(this.#cleaned, writeCleanedOffsets);
      metrics.cleanerBytesFreed += done.bytesBefore - done.bytesAfter;
      metrics.cleanerRuns++;
      metrics.cleanerSeconds += (clock.monotonicMs() - startedMs) / 1000;
    } catch (error) {
      // A partition that went away takes its files with it.
      if (error instanceof Stopped || partition.fault) return;
      // There may be room later, on the disk or in the map, but not in this round.
      this.#leave(folder, error);
      if (mayPass(error)) this.#options.clock.after(retryMs, () => this.#left.delete(folder));
    }
  }

  /** After a piece of work that read and wrote `bytes`. */
  async #rest(partition: Partition, bytes: number): Promise<void> {
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    const workedMs = beganMs - this.#workedFromMs;
    await this.#sleep(0);
    const nowMs = clock.monotonicMs();
    const turnMs = nowMs - beganMs;
    const isRequested = this.#isRequested(nowMs);
    if (isRequested && turnMs > idleTurnMs) await this.#sleep(workedMs * restPerWork - turnMs);
    await this.#throttle(bytes);
    if (this.#isClosed || partition.fault) throw new Stopped();
    this.#workedFromMs = clock.monotonicMs();
  }

  #isRequested(nowMs: number): boolean {
    const requests = this.#options.requests();
    if (requests !== this.#requests) this.#requestedMs = nowMs;
    this.#requests = requests;
    return nowMs - this.#requestedMs < requestedWithinMs;
  }

  /** Sleeps until the bytes since the last piece of work are within the limit, which may change meanwhile. */
  async #throttle(bytes: number): Promise<void> {
    const { clock, settings } = this.#options;
    while (!this.#isClosed) {
      const sinceMs = clock.monotonicMs() - this.#workedFromMs;
      const earlyMs = (bytes / settings().bytesPerSecondMax) * 1000 - sinceMs;
      if (earlyMs < 1) return;
      await this.#sleep(Math.min(earlyMs, throttleLookMs));
    }
  }

  #sleep(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      if (ms > 0) clock.after(ms, resolve);
      else clock.soon(resolve);
    });
  }

  #noteHoles(folder: string, endOffset: number): void {
    if ((this.#cleaning.get(folder) ?? 0) >= endOffset) return;
    this.#cleaning.set(folder, endOffset);
    this.#write(this.#cleaning, writeCleaningOffsets);
  }

  #write(offsets: ReadonlyMap<string, number>, write: typeof writeCleanedOffsets): void {
    const entries = [];
    for (const { topic, partition } of this.#options.partitions()) {
      const offset = offsets.get(partitionFolder(topic, partition));
      if (offset !== undefined) entries.push({ topic, partition, offset });
    }
    write(this.#options.storage, entries);
  }
}

function folderOf({ topic, partition }: Partition): string {
  return partitionFolder(topic, partition);
}

function mayPass(error: unknown): boolean {
  if (error instanceof StorageError) return error.fault === "full";
  return error instanceof BrokerError && error.code === "KAFKA_STORAGE_ERROR";
}
