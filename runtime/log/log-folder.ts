// A log directory: all partitions of one broker on one disk, in Kafka's layout. Opens and closes them, keeps
// the checkpoints, runs retention and background syncs, and stops everything when the disk fails.

import type { Core } from "../../storage-wasm/core.ts";
import type { TopicConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import type { Clock, Codecs, Random, Timer } from "../platform.ts";
import { type Storage, StorageError } from "../storage/storage.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import {
  decodePartitionMetadata,
  encodePartitionMetadata,
  type OffsetCheckpoint,
  offsetsOf,
} from "./checkpoints.ts";
import { Cleaner, type CleanerSettings } from "./cleaner.ts";
import { Flusher } from "./flusher.ts";
import {
  type FolderCheckpoints,
  markCleanShutdown,
  readCheckpoints,
  takeCleanShutdown,
  writeHighWatermarks,
  writeRecoveryPoints,
  writeStartOffsets,
} from "./folder-identity.ts";
import { type KafkaTopicConfigs, readKafkaTopicConfigs } from "./kafka-metadata.ts";
import { LocalLog } from "./local-log.ts";
import {
  deletedFolder,
  isDeletedFolder,
  partitionFolder,
  partitionMetadataFile,
  partitionOf,
  strayFolder,
} from "./log-files.ts";
import { Partition } from "./partition.ts";
import type { PartitionHost } from "./partition-host.ts";
import { writePlainFile } from "./plain-file.ts";
import { createPartitionFolder, openPartitionFolder, readEpochs } from "./recovery.ts";

/** How often recovery points go to their file: what a crash makes us read again at most. */
const checkpointIntervalMs = 60_000;
/** How often background syncs are looked for. */
const flushCheckIntervalMs = 250;
/** How often high watermarks of partitions with several replicas go to their file. */
const highWatermarkIntervalMs = 5_000;
/** Files of leader epochs written in one look: each is a sync that everything waits for. */
const epochFilesAtOnce = 4;
/** A new partition must not inherit the checkpoint of a deleted one of the same name. */
const fromScratch = { recoveryPoint: 0, logStartOffset: 0, highWatermark: 0, holesEnd: 0 };
/** Partitions synced at once when closing. */
const closesAtOnce = 4;

export interface LogFolderOptions {
  readonly storage: Storage;
  readonly core: Core;
  readonly codecs: Codecs;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly retentionCheckIntervalMs: () => number;
  readonly producerIdExpirationMs: () => number;
  readonly cleaner: () => CleanerSettings;
  /** Told what a person should know; never about records. */
  readonly report: (event: LogFolderEvent) => void;
}

export type LogFolderEvent =
  | { readonly kind: "failed"; readonly error: StorageError }
  | { readonly kind: "truncated"; readonly folder: string; readonly bytes: number }
  | { readonly kind: "not-cleaned"; readonly folder: string; readonly error: unknown }
  | { readonly kind: "stray"; readonly folder: string; readonly renamedTo: string };

/** A partition's folder found on disk. */
export interface FoundPartition {
  readonly topic: string;
  readonly partition: number;
  /** Undefined when Kafka's `partition.metadata` is absent or unreadable. */
  readonly topicId: string | undefined;
  /** The newest in its checkpoint, -1 if there is none. */
  readonly leaderEpoch: number;
}

export class LogFolder {
  readonly storage: Storage;
  readonly partitions = new Map<string, Partition>();
  /** Set when the disk failed: nothing is acknowledged any more. */
  fault: BrokerError | undefined;
  /** Whether the last stop was clean. */
  readonly wasClean: boolean;
  /** Broker epoch of a clean stop, undefined after any other. */
  readonly cleanEpoch: number | undefined;
  readonly #options: LogFolderOptions;
  readonly #host: PartitionHost;
  readonly #checkpoints: FolderCheckpoints;
  readonly #timers = new Map<string, Timer>();
  /** Partitions whose file of leader epochs is behind. */
  readonly #epochsBehind = new Set<Partition>();
  readonly cleaner: Cleaner;
  #isClosed = false;

  /** The storage must be locked by the caller. Removes the leftovers of deleted topics. */
  constructor(options: LogFolderOptions) {
    this.#options = options;
    this.storage = options.storage;
    this.#host = {
      core: options.core,
      codecs: options.codecs,
      clock: options.clock,
      flusher: new Flusher(options.clock),
      metrics: options.metrics,
      fail: (error) => this.#fail(error),
      startOffsetMoved: () => this.#checkpointStartOffsets(),
      epochsChanged: (partition) => this.#epochsBehind.add(partition),
    };
    this.cleaner = new Cleaner({
      ...options,
      metrics: options.metrics.log,
      requests: () => options.metrics.requests,
      partitions: () => this.partitions.values(),
      settings: options.cleaner,
      report: (folder, error) => options.report({ kind: "not-cleaned", folder, error }),
    });
    this.cleanEpoch = takeCleanShutdown(this.storage);
    this.wasClean = this.cleanEpoch !== undefined;
    this.#checkpoints = readCheckpoints(this.storage);
    for (const { name } of this.storage.list("")) {
      if (isDeletedFolder(name)) this.storage.remove(name);
    }
  }

  /** Partitions on disk, whether or not anybody knows their topics. */
  found(): FoundPartition[] {
    const found: FoundPartition[] = [];
    for (const { name, folder } of this.storage.list("")) {
      const place = folder ? partitionOf(name) : undefined;
      if (place === undefined) continue;
      found.push({
        ...place,
        topicId: this.#topicIdOf(name),
        leaderEpoch: readEpochs(this.storage, name).at(-1)?.epoch ?? -1,
      });
    }
    return found;
  }

  /** What a Kafka that wrote this directory knew of its topics; null if it cannot be read. */
  kafkaTopicConfigs(): KafkaTopicConfigs | null {
    return readKafkaTopicConfigs(this.#options);
  }

  /** Opens a partition's folder, recovering what an unclean stop left; creates it when absent. */
  open(request: {
    topic: string;
    partition: number;
    topicId: string;
    config: TopicConfig;
    decompressedBytesMax: number;
    /** Nothing is on disk yet: no look, and no checkpoint of a deleted partition of the same name. */
    isNew: boolean;
    /** Other brokers have copies: not all that stands here is known to be on them. */
    isReplicated?: boolean;
  }): Partition {
    if (this.fault) throw this.fault;
    const folder = partitionFolder(request.topic, request.partition);
    const foundId = request.isNew ? undefined : this.#topicIdOf(folder);
    if (foundId !== undefined && foundId !== request.topicId) this.setAside(folder);
    const { core, clock, random } = this.#options;
    const place = { storage: this.storage, core, folder: () => folder };
    const jitterMs = () => drawJitter(random, request.config.segmentJitterMs);
    const startedMs = clock.monotonicMs();
    const options = { place, nowMs: clock.nowMs(), jitterMs };
    const checkpoint = request.isNew ? fromScratch : this.#checkpointOf(folder);
    const highWatermark = request.isReplicated ? checkpoint.highWatermark : undefined;
    const recovered = request.isNew
      ? createPartitionFolder(options)
      : openPartitionFolder({
          ...options,
          ...checkpoint,
          highWatermark,
          wasClean: this.wasClean,
          indexIntervalBytes: request.config.indexIntervalBytes,
        });
    this.#noteRecovery(folder, recovered, clock.monotonicMs() - startedMs);
    if (foundId !== request.topicId) {
      const metadata = encodePartitionMetadata(request.topicId);
      writePlainFile(this.storage, `${folder}/${partitionMetadataFile}`, metadata);
    }
    const log = new LocalLog(place, recovered.state, recovered.producers, jitterMs);
    const { epochs, checkedBytes } = recovered;
    const wasRecovered = checkedBytes > 0;
    const own = { log, epochs, wasRecovered, highWatermark };
    const partition = new Partition(this.#host, { ...request, ...own });
    this.partitions.set(folder, partition);
    return partition;
  }

  /**
   * Ends the partition and takes its folder away; readers under way keep their bytes. Call `checkpoint` when all of
   * a topic are gone: a new topic of that name must not find their offsets after a crash.
   */
  delete(partition: Partition): void {
    const folder = partitionFolder(partition.topic, partition.partition);
    this.partitions.delete(folder);
    this.#epochsBehind.delete(partition);
    const renamed = deletedFolder(folder, hex(this.#options.random.bytes(16)));
    partition.abandon();
    this.#guarded(() => this.cleaner.forget(partition));
    // Whoever tells that the topic is gone must not hear of a broken disk.
    if (!this.#guarded(() => this.storage.rename(folder, renamed))) return;
    this.#options.clock.after(partition.config.fileDeleteDelayMs, () => {
      if (!this.#isClosed) this.#guarded(() => this.storage.remove(renamed));
    });
  }

  /** A folder whose topic is not known: kept under another name, for a person to look at. */
  setAside(folder: string): void {
    const renamedTo = strayFolder(folder, hex(this.#options.random.bytes(16)));
    this.storage.rename(folder, renamedTo);
    this.#options.report({ kind: "stray", folder, renamedTo });
  }

  /** Starts retention, checkpoints and background syncs. */
  startHousekeeping(): void {
    this.cleaner.start();
    const { retentionCheckIntervalMs } = this.#options;
    this.#every("retention", retentionCheckIntervalMs, () => this.applyRetention());
    this.#every(
      "checkpoint",
      () => checkpointIntervalMs,
      () => this.checkpoint(),
    );
    this.#every(
      "flush",
      () => flushCheckIntervalMs,
      () => {
        for (const partition of this.partitions.values()) partition.flushIfDue();
        this.#guarded(() => this.#persistEpochs(epochFilesAtOnce));
      },
    );
    this.#every(
      "high-watermarks",
      () => highWatermarkIntervalMs,
      () => this.#checkpointHighWatermarks(),
    );
  }

  applyRetention(): void {
    const now = this.#options.clock.nowMs();
    const producersBefore = now - this.#options.producerIdExpirationMs();
    for (const partition of this.partitions.values()) {
      this.#options.metrics.log.retentionDeletedBytes += partition.applyRetention(now);
      partition.log.producers.expire(producersBefore);
    }
    this.#checkpointStartOffsets();
  }

  /** False when the disk refuses it. */
  checkpoint(): boolean {
    // What lies above the newest epoch in its file must be read again after a crash.
    const recoveryPoints = () =>
      this.#offsets((each) => Math.min(each.log.recoveryPoint, each.epochsBehindFrom));
    const isWritten = this.#guarded(() => writeRecoveryPoints(this.storage, recoveryPoints()));
    this.#checkpointHighWatermarks();
    return this.#checkpointStartOffsets() && isWritten;
  }

  /**
   * Clean stop: all durable, checkpoints and the marker written. False when a full or failed disk refused some of it:
   * then the marker is absent too, and the next start checks the logs.
   */
  async close(brokerEpoch: number): Promise<boolean> {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    await this.cleaner.close();
    const waiting = [...this.partitions.values()];
    const closeNext = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        await this.#closePartition(next);
      }
    };
    await Promise.all(Array.from({ length: closesAtOnce }, closeNext));
    return this.checkpoint() && this.#guarded(() => markCleanShutdown(this.storage, brokerEpoch));
  }

  async #closePartition(partition: Partition): Promise<void> {
    try {
      await partition.close();
    } catch (error) {
      // A full disk may refuse indexes or snapshots: then this was not a clean stop.
      if (!(error instanceof StorageError)) throw error;
      this.#fail(error);
      partition.abandon();
    }
  }

  #topicIdOf(folder: string): string | undefined {
    const bytes = this.storage.readFile(`${folder}/${partitionMetadataFile}`);
    return bytes && decodePartitionMetadata(bytes);
  }

  #checkpointOf(folder: string): typeof fromScratch {
    return {
      recoveryPoint: this.#checkpoints.recoveryPoints.get(folder) ?? 0,
      logStartOffset: this.#checkpoints.startOffsets.get(folder) ?? 0,
      highWatermark: this.#checkpoints.highWatermarks.get(folder) ?? 0,
      holesEnd: this.#checkpoints.holeEnds.get(folder) ?? 0,
    };
  }

  #noteRecovery(
    folder: string,
    recovered: { truncatedBytes: number; checkedBytes: number },
    durationMs: number,
  ): void {
    const { log } = this.#options.metrics;
    if (recovered.checkedBytes > 0) log.recoverySeconds += durationMs / 1000;
    if (recovered.truncatedBytes === 0) return;
    log.truncatedBytes += recovered.truncatedBytes;
    this.#options.report({ kind: "truncated", folder, bytes: recovered.truncatedBytes });
  }

  #fail(error: StorageError): BrokerError {
    if (this.fault) return this.fault;
    this.fault = new BrokerError(
      "KAFKA_STORAGE_ERROR",
      `the log directory ${this.storage.root} failed: ${error.message}`,
      { cause: error },
    );
    this.#options.report({ kind: "failed", error });
    for (const partition of this.partitions.values()) partition.takeOffline(this.fault);
    return this.fault;
  }

  #checkpointStartOffsets(): boolean {
    const startOffsets = () => this.#offsets((each) => each.log.startOffset);
    return this.#guarded(() => writeStartOffsets(this.storage, startOffsets()));
  }

  /** Only of partitions that have a use for it: most folders have no such file. */
  #checkpointHighWatermarks(): void {
    const replicated = [...this.partitions.values()].filter(({ isReplicated }) => isReplicated);
    if (replicated.length === 0) return;
    this.#guarded(() =>
      writeHighWatermarks(
        this.storage,
        offsetsOf(replicated, (each) => each.highWatermark),
      ),
    );
  }

  #persistEpochs(countMax: number): void {
    for (const partition of [...this.#epochsBehind].slice(0, countMax)) {
      partition.persistEpochs();
      this.#epochsBehind.delete(partition);
    }
  }

  /** A full disk refuses checkpoints too; the next one will be written when there is space. False: not written. */
  #guarded(write: () => void): boolean {
    if (this.fault) return false;
    try {
      write();
      return true;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.fault !== "full") this.#fail(error);
      return false;
    }
  }

  #offsets(of: (partition: Partition) => number): OffsetCheckpoint[] {
    return offsetsOf(this.partitions.values(), of);
  }

  #every(name: string, intervalMs: () => number, run: () => void): void {
    const again = () => {
      this.#timers.set(
        name,
        this.#options.clock.after(intervalMs(), () => {
          if (this.#isClosed) return;
          run();
          again();
        }),
      );
    };
    again();
  }
}

function drawJitter(random: Random, jitterMs: number): number {
  return jitterMs > 0 ? random.integer(Math.min(jitterMs, 2 ** 31)) : 0;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
