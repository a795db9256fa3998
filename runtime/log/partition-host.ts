// What a partition is given: the log directory it lives in, who keeps its in-sync replicas, and what it is asked.
// Words shared by `partition.ts` and those who call it or work for it.

import type { Core } from "../../storage-wasm/core.ts";
import type { Appended } from "../broker.ts";
import type { TopicConfig } from "../config.ts";
import { BrokerError } from "../errors.ts";
import type { Clock, Codecs } from "../platform.ts";
import type { StorageError } from "../storage/storage.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Flusher } from "./flusher.ts";
import type { LeaderEpochs } from "./leader-epochs.ts";
import type { LocalLog } from "./local-log.ts";
import type { Partition } from "./partition.ts";

/** What a partition needs of the log directory it lives in. */
export interface PartitionHost {
  readonly core: Core;
  readonly codecs: Codecs;
  readonly clock: Clock;
  readonly flusher: Flusher;
  readonly metrics: Metrics;
  /** A write or sync failed for good: the directory stops acknowledging. Returns what to answer. */
  fail(error: StorageError): BrokerError;
  /** The log start moved on request: make that durable. */
  startOffsetMoved(): void;
  /** `epochsBehindFrom` says more than the file of leader epochs: have it written soon. */
  epochsChanged(partition: Partition): void;
}

/** Who keeps the in-sync replicas of a partition that this broker leads. */
export interface LeaderRole {
  /** Whether the high watermark has reached what the leader before may have acknowledged. */
  readonly isSettled: boolean;
  /** Throws NOT_ENOUGH_REPLICAS: before anything is written that all in-sync replicas should have. */
  checkInSync(): void;
  /** This broker's copy is whole, and as durable as the topic wants, up to here. */
  ownEndMoved(offset: number): void;
  /** Settles when all in-sync replicas have it, with NOT_ENOUGH_REPLICAS_AFTER_APPEND or REQUEST_TIMED_OUT. */
  replicated(appended: Appended, timeoutMs: number | undefined): Appended | Promise<Appended>;
  /** It is over: whoever waits is told. */
  resign(error: BrokerError): void;
}

export interface AppendOptions {
  /** Answer when it is as durable as was asked; else at once. */
  readonly waits: boolean;
  /** Who must have it: this broker, or all in-sync replicas, the default. */
  readonly acks?: "leader" | "all";
  /** How long to wait for replicas. */
  readonly timeoutMs?: number;
  /** A transactional batch begins a transaction only if the coordinator knows of it. */
  readonly isVerified?: boolean;
  /** A coordinator's own batch has no sequence and is not checked like a client's. */
  readonly isOwn?: boolean;
}

export interface PartitionOptions {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly config: TopicConfig;
  readonly decompressedBytesMax: number;
  readonly log: LocalLog;
  readonly epochs: LeaderEpochs;
  /** Of a partition with several replicas: what is known to be on all of them. Absent: the end of the log. */
  readonly highWatermark?: number | undefined;
  /** Indexes and snapshot are not in their files as they are in memory. */
  readonly wasRecovered: boolean;
}

export interface ReadOptions {
  readonly offset: number;
  readonly bytesMax: number;
  readonly atLeastOneBatch: boolean;
}

export function outOfRange({ topic, partition, log }: Partition, offset: number): BrokerError {
  const range = `${log.startOffset}..${log.endOffset}`;
  return new BrokerError(
    "OFFSET_OUT_OF_RANGE",
    `offset ${offset} is outside ${range} of ${topic}-${partition}`,
  );
}
